# Put before every program: check NAME EXPECTED COMMAND runs a command of its own and compares what it printed.
check() {
    local out
    out=$(timeout -k 1 240 bash -e -o pipefail -c "$3" 2>&1 </dev/null)
    if [[ $out == "$2" ]]; then echo "ok $1"; else echo "not ok $1: expected ${2@Q}, got ${out@Q}"; fi
}
