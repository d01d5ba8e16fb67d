#!/usr/bin/env bash
# A script agent in Bash: counts the lines, and the open TODO marks, of the files in a folder.
#
# The task's inputs: `folder` (default: the whole project), `most` (the TODO marks that are still accepted).
# Passes on `files`, `lines` and `todos`; fails if there are more marks than `most`.
set -euo pipefail

# Bash reads no JSON, so Python does it here; jq would do as well. What is read becomes one line per value.
{
  read -r folder
  read -r most
} < <(python3 -c '
import json, sys
inputs = json.load(sys.stdin)["inputs"]
print(inputs.get("folder", "."))
print(int(inputs.get("most", 1000000)))
') || { echo "the input most must be a number" >&2; exit 3; }

if [ ! -d "$folder" ]; then
  echo "there is no folder $folder" >&2
  exit 3 # the task makes no sense: trying again would not help
fi

files=0 lines=0 todos=0
while IFS= read -r -d '' file; do
  files=$((files + 1))
  lines=$((lines + $(wc -l <"$file")))
  todos=$((todos + $(grep -c 'TODO' -- "$file" || true)))
done < <(find "$folder" -name '.*' ! -name . -prune -o -type f -print0)
echo "counted $files files in $folder" >&2 # stderr is for progress: it is shown live and kept in the log

status=success
if [ "$todos" -gt "$most" ]; then
  status=failed
fi
# Only numbers and words of our own are put in here. Free text would have to be escaped: write it to "$ORCH_OUTPUT" as
# name=value lines instead, which need no escaping.
printf '{"status": "%s", "error": "%s", "outputs": {"files": %d, "lines": %d, "todos": %d}}\n' \
  "$status" "$([ "$status" = success ] || echo "$todos TODO marks are left, at most $most are accepted")" \
  "$files" "$lines" "$todos"
[ "$status" = success ]
