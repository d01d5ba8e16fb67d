import os,time,re
from tests.cli.test_board import *
def test_dbg(project, screen):
    for i in range(3):
        project.shell(f"TASK-{i}", f"echo {'words ' * 12}; {GATE}")
    start_in(screen, project, "run-batch")
    screen.until(r"> TASK-2 .*words")
    print("ENV", {k:v for k,v in os.environ.items() if k in("COLUMNS","LINES")})
    pid=screen.run("list-panes","-F","#{pane_pid} #{pane_width}")
    print(pid)
    print(subprocess.run(["ps","--forest","-o","pid,args","-g",pid.split()[0]],capture_output=True,text=True).stdout)
    for width in (40, 25, 60):
        screen.run("resize-window", "-x", str(width), "-y", "16")
        for i in range(4):
            time.sleep(.5); print(width, *screen.lines(), sep="\n")
            print(screen.run("list-panes","-F","#{pane_pid} #{pane_width}"))
    open_gate(project)
    screen.until(r"^code 0")
