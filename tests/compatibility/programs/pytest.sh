# pytest with its cache, temporary directories and output capture, over tests that start processes and loops.
cat > test_all.py <<'END'
import asyncio, concurrent.futures, multiprocessing as mp, subprocess, threading, queue
from multiprocessing import shared_memory
import pytest

HOW = ['fork', 'spawn', 'forkserver']

def square(n): return n * n
def put(queue, n): queue.put(square(n))
def send(pipe): pipe.send('hi')

@pytest.mark.parametrize('how', HOW)
def test_pool(how):
    with mp.get_context(how).Pool(2) as pool: assert pool.map(square, range(5)) == [0, 1, 4, 9, 16]

@pytest.mark.parametrize('how', HOW)
def test_queue(how):
    context = mp.get_context(how)
    queue = context.Queue()
    process = context.Process(target=put, args=(queue, 7))
    process.start()
    assert queue.get(timeout=200) == 49
    process.join()
    assert process.exitcode == 0

@pytest.mark.parametrize('how', HOW)
def test_process_and_pipe(how):
    context = mp.get_context(how)
    ours, theirs = context.Pipe()
    process = context.Process(target=send, args=(theirs,))
    process.start()
    assert ours.recv() == 'hi'
    process.join()
    assert process.exitcode == 0

def test_manager():
    with mp.Manager() as manager:
        shared = manager.dict()
        shared['a'] = 1
        assert dict(shared) == {'a': 1}

def test_lock_value_event():
    context = mp.get_context('fork')
    value, lock, event = context.Value('i', 0), context.Lock(), context.Event()
    def add():
        for _ in range(100):
            with lock: value.value += 1
        event.set()
    workers = [context.Process(target=add) for _ in range(2)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
    assert value.value == 200 and event.is_set()

def test_shared_memory():
    block = shared_memory.SharedMemory(create=True, size=4096)
    block.buf[0] = 42
    other = shared_memory.SharedMemory(block.name)
    assert other.buf[0] == 42
    other.close(); block.close(); block.unlink()

def test_process_pool_executor():
    with concurrent.futures.ProcessPoolExecutor(2) as pool: assert sorted(pool.map(square, range(4))) == [0, 1, 4, 9]

def test_thread_pool():
    with mp.pool.ThreadPool(2) as pool: assert pool.map(square, range(4)) == [0, 1, 4, 9]

def test_thread_pool_executor():
    with concurrent.futures.ThreadPoolExecutor(8) as pool: assert sorted(pool.map(square, range(4))) == [0, 1, 4, 9]

def test_threads_and_queue():
    done = queue.Queue()
    for n in range(20): threading.Thread(target=lambda n=n: done.put(n)).start()
    assert sorted(done.get(timeout=200) for _ in range(20)) == list(range(20))

def test_asyncio_subprocess():
    async def main():
        process = await asyncio.create_subprocess_shell('cat; exit 3', stdin=-1, stdout=-1)
        out, _ = await process.communicate(b'x')
        return out, process.returncode
    assert asyncio.run(main()) == (b'x', 3)

def test_asyncio_threads():
    async def main(): return await asyncio.gather(*(asyncio.to_thread(square, n) for n in range(4)))
    assert asyncio.run(main()) == [0, 1, 4, 9]

def test_asyncio_unix_server(tmp_path):
    async def main():
        async def echo(reader, writer):
            writer.write(await reader.readline()); await writer.drain(); writer.close()
        async with await asyncio.start_unix_server(echo, tmp_path / 's'):
            reader, writer = await asyncio.open_unix_connection(tmp_path / 's')
            writer.write(b'hello\n')
            answer = await reader.readline()
            writer.close()
            return answer
    assert asyncio.run(main()) == b'hello\n'

def test_fixtures(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('SAID', 'out')
    subprocess.run('echo $SAID | tr a-z A-Z', shell=True, check=True)
    assert capfd.readouterr().out == 'OUT\n'
END
/usr/bin/python3 -m pytest -q -rA --tb=line test_all.py 2>&1 |
    sed -n -e 's/^PASSED [^:]*::test_/ok /p' -e 's/^\(FAILED\|ERROR\) [^:]*::test_\([^ ]*\) - /not ok \2: /p' \
        -e 's/^\(FAILED\|ERROR\) [^:]*::test_\([^ ]*\)$/not ok \2:/p'
check cache 'CACHEDIR.TAG' 'ls .pytest_cache | grep CACHEDIR'
