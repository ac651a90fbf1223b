# Leaves a server behind, once it can be connected to. The next step must reach it.
echo hello > index.txt
python3 -m http.server 8080 --bind 127.0.0.1 >/dev/null 2>&1 &
for i in $(seq 100); do
    (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null && exit 0
    sleep 0.1
done
exit 1
