# A repository with a history, branches, a merge, clones, and the maintenance that packs it.
export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@example.com GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@example.com
check init '' 'git init -q -b main origin'
check commit '2' 'cd origin; printf "one\n" > file; printf "x\n" > tool; git add .; git commit -q -m first
    echo more >> file; git commit -q -a -m second; git rev-list --count HEAD'
check merge '5' 'cd origin; git checkout -q -b topic; echo two >> file; git commit -q -a -m third
    git checkout -q main; echo other > other; git add other; git commit -q -m fourth
    git merge -q --no-edit topic; git rev-list --count HEAD'
check gc-and-fsck '' 'cd origin; git gc -q; git fsck --no-progress'
check clone-and-push 'fifth' 'git clone -q origin copy; cd copy; echo three >> file; git commit -q -a -m fifth
    git push -q origin HEAD:refs/heads/work; git -C ../origin log -1 --format=%s work'
check rebase-and-worktree '' 'cd copy; git rebase -q origin/topic; git worktree add -q ../tree origin/main; git status --porcelain'
check archive 'file other tool' 'cd copy; git archive HEAD | tar t | paste -sd " "'
check diff-without-a-repository 'b' 'echo a > a; echo b > b; git diff --no-index a b | sed -n "s/^+b/b/p" || true'
