# A tmux server and its clients, with a shell in a terminal of its own. (Clients find the server through TMPDIR.)
export TMUX_TMPDIR=$TMPDIR
check server-and-client '42 from tmux' 'tmux -f /dev/null new-session -d -s work -x 80 -y 24 "bash --norc"
    tmux send-keys -t work "echo \$((6 * 7)) from tmux" Enter
    for _ in $(seq 100); do tmux capture-pane -p -t work 2>/dev/null | grep "^42 from tmux" && break; sleep 0.1; done'
check panes '0 1' 'tmux split-window -t work "sleep 60"; tmux list-panes -t work -F "#{pane_index}" | paste -sd " "'
check end '' 'tmux kill-server'
