# Becomes a runner that has a child from before, one that ends, and a grandchild. None of them must be touched.
sleep 50 & echo $! > child
sleep 0.2 &
bash -c 'sleep 51 & echo $! > grandchild; sleep 0.5' &
exec "$RUNNER" --jobs jobs.jsonl --isolation "$TIER" --concurrency 2
