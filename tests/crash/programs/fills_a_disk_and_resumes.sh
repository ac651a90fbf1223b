# Runs the runner ($0) in a tier ($1) with its output on a disk that is too small, then again with room made. The first run
# must keep whole lines, and the second complete them.
mkdir disk
mount -t tmpfs -o size=512k none disk
run() { "$0" --isolation "$1" --jobs jobs.jsonl --output disk/out.jsonl --resume; }
run "$1"
echo "first=$?"
cp disk/out.jsonl first.jsonl
mount -o remount,size=64m disk
run "$1"
echo "second=$?"
cp disk/out.jsonl second.jsonl
