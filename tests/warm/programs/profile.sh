# A start-up file that defines something of every kind. All of it must be there in a warm bash too.
export GREETING=hello
greet() { echo $GREETING; }
alias l=ls
shopt -s nullglob
PATH=$PATH:/extra
set -- a b
umask 027
