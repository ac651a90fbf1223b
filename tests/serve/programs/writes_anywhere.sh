# Makes directories and files at the top of the file tree and in /etc. Must succeed, and the files be its own.
mkdir -p /logs/verifier /app /testbed /tests /anything/at/all &&
    echo 1 > /logs/verifier/reward.txt && echo x > /etc/made && cat /logs/verifier/reward.txt
