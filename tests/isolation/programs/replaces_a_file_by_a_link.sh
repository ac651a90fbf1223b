# Replaces what the next step's files have made by a link to /, once it is there. Must open nothing to the step after it.
(setsid sh -c '
    while ! [ -e /a/go ]; do sleep 0.05; done
    rm -rf /a/test.py
    ln -s / /a/test.py
    touch /a/done
' >/dev/null 2>&1 &)
