# Makes links to files, to other links, out of the sandbox, and to nothing, and a pipe. Those that lead to files of the
# sandbox must be collected as these, and the others listed.
mkdir -p out/v1 elsewhere
echo one > out/v1/log.txt
echo two > elsewhere/two
ln -s v1 out/latest
ln -s v1/log.txt out/log.txt
ln -s "$PWD/elsewhere/two" out/two.txt
ln -s log.txt out/chain.txt
ln -s /etc/hostname out/host.txt
ln -s nowhere out/gone.txt
ln -s ../.. out/up.txt
mkfifo out/pipe.txt
