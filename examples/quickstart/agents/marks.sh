#!/bin/sh
# Finds the marks that people leave for later (FIXME, HACK, TO-DO, XXX) in the comments of the tree's text files.
#
# Reads the list and the copy that the index left; writes out/facts/marks.txt, one "path:line:text" each, and passes
# the count on.
set -eu

here=$(pwd -P)
list="$here/out/text-files.nul"
found="$here/out/facts/marks.txt"

# A comment sign, then at most a few words, then the mark with what usually follows it. (The bracket in it keeps this
# file from finding itself.)
pattern='(#|//|/\*|<!--|--|;)[^"]{0,40}(FIXM[E]|HAC[K]|TOD[O]|XX[X])([:(!. ]|$)'

# Bytes, not letters: a file in an old encoding is text too, and marks are plain letters in all of them.
LC_ALL=C
export LC_ALL

# grep ends with 1 when it finds nothing, which is good news, and with 2 when it could not look.
cd -- "$here/out/.snapshot"
xargs -0 sh -c 'grep -HnIE -e "$0" -- "$@" || [ $? -eq 1 ]' "$pattern" <"$list" >"$found.draft"
mv -- "$found.draft" "$found"

marks=$(awk 'END { print NR }' "$found")
printf 'marks=%s\n' "$marks" >>"${ORCH_OUTPUT:-/dev/null}"
printf '%s marks for later\n' "$marks"
