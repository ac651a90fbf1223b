# The SQLite shell and Python's module, with a journal and with a write-ahead log shared by two processes.
check journal '2' 'sqlite3 a.db "create table t(n integer primary key, s text); insert into t(s) values (\"a\"), (\"b\"); select count(*) from t;"'
check write-ahead-log $'wal\na,b,c' 'sqlite3 a.db "pragma journal_mode=wal; begin; insert into t(s) values (\"c\"); commit; select group_concat(s) from t;"'
cat > two.py <<'END'
import os, sqlite3
base = sqlite3.connect('b.db')
base.execute('pragma journal_mode=wal'); base.execute('create table t(n)'); base.commit(); base.close()
for n in range(2):
    if os.fork() == 0:
        base = sqlite3.connect('b.db', timeout=200)
        for i in range(20):
            with base: base.execute('insert into t values (?)', (n * 100 + i,))
        os._exit(0)
for n in range(2): os.wait()
base = sqlite3.connect('b.db')
print(base.execute('select count(*), max(n) from t').fetchone(), base.execute('pragma integrity_check').fetchone()[0])
base.execute('vacuum')
END
check two-writers "(40, 119) ok" '/usr/bin/python3 two.py'
check in-memory '55' '/usr/bin/python3 -c "import sqlite3; print(sqlite3.connect(\":memory:\").execute(\"with recursive c(n) as (select 1 union all select n+1 from c where n<10) select sum(n) from c\").fetchone()[0])"'
