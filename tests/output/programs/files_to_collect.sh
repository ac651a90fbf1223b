# Makes files of text and bytes, at several levels, and a link out of the sandbox, and ends with CODE. Those that were asked
# for must be collected, whatever the code, and never what the link leads to.
mkdir -p out/deep
echo text ✓ > out/a.txt
echo no > out/b.log
printf '\377\0' > out/b.bin
echo deep > out/deep/d.txt
ln -s /etc/passwd out/link.txt
echo abs > $TMPDIR/abs.txt
exit $CODE
