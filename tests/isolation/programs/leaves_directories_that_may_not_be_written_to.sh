# Leaves directories that nobody may write to, some of them sticky. Must all be gone.
mkdir -p a/b/c $HOME/sticky/d
touch a/b/c/f
chmod 0555 a/b/c a/b a
chmod 1555 $HOME/sticky/d $HOME/sticky
true
