# What Python programs take for granted of the standard library, as unittest sees it.
cat > t.py <<'END'
import ctypes, faulthandler, getpass, locale, mmap, os, pathlib, platform, pty, pwd, resource, shutil, signal, socket, ssl
import subprocess, sys, tempfile, time, unittest, uuid

class Everything(unittest.TestCase):
    def test_temporary_files(self):
        with tempfile.TemporaryDirectory() as d, tempfile.NamedTemporaryFile(dir=d) as f, tempfile.TemporaryFile() as g:
            f.write(b'x'); g.write(b'y')
            self.assertTrue(os.path.exists(f.name))
        self.assertEqual(tempfile.gettempdir(), os.environ['TMPDIR'])
    def test_ctypes(self):
        libc = ctypes.CDLL(None, use_errno=True)
        pointer = ctypes.POINTER(ctypes.c_int)
        compare = ctypes.CFUNCTYPE(ctypes.c_int, pointer, pointer)(lambda a, b: a[0] - b[0])
        numbers = (ctypes.c_int * 3)(3, 1, 2)
        libc.qsort(numbers, 3, 4, compare)
        self.assertEqual(list(numbers), [1, 2, 3])
    def test_faulthandler(self):
        code = 'import ctypes, faulthandler; faulthandler.dump_traceback_later(100); ctypes.string_at(0)'
        p = subprocess.run([sys.executable, '-X', 'faulthandler', '-c', code], capture_output=True)
        self.assertEqual(p.returncode, -signal.SIGSEGV)
        self.assertIn(b'Segmentation fault', p.stderr)
    def test_ssl_certificates(self):
        ssl.create_default_context()
        if pathlib.Path('/etc/ssl/certs/ca-certificates.crt').exists():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations('/etc/ssl/certs/ca-certificates.crt')
            self.assertTrue(context.get_ca_certs())
    def test_pipelines_and_timeouts(self):
        self.assertEqual(subprocess.check_output('printf "b\\na\\n" | sort | head -1', shell=True), b'a\n')
        self.assertRaises(subprocess.TimeoutExpired, subprocess.run, ['sleep', '60'], timeout=0.2)
    def test_process_groups(self):
        p = subprocess.Popen(['sleep', '60'], start_new_session=True)
        os.killpg(p.pid, signal.SIGTERM)
        self.assertEqual(p.wait(), -signal.SIGTERM)
    def test_terminals(self):
        pid, fd = pty.fork()
        if pid == 0: os.execvp('sh', ['sh', '-c', 'tty >/dev/null && stty size >/dev/null && echo terminal'])
        out = b''
        try:
            while chunk := os.read(fd, 100): out += chunk
        except OSError: pass
        os.waitpid(pid, 0)
        self.assertIn(b'terminal', out)
    def test_timers(self):
        hits = []
        signal.signal(signal.SIGALRM, lambda *_: hits.append(1))
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        end = time.monotonic() + 30
        while not hits and time.monotonic() < end: time.sleep(0.01)
        self.assertEqual(hits, [1])
    def test_resource(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 64)
        resource.setrlimit(resource.RLIMIT_CPU, (100, 100))
    def test_mmap(self):
        with mmap.mmap(-1, 4096) as m:
            m[:2] = b'ab'
            self.assertEqual(m[:2], b'ab')
    def test_home(self):
        self.assertTrue(getpass.getuser())
        self.assertTrue(os.access(pathlib.Path.home(), os.W_OK))
    def test_passwd_entry(self):
        self.assertTrue(pwd.getpwuid(os.getuid()).pw_name)
    def test_machine(self):
        self.assertEqual(platform.system(), 'Linux')
        self.assertTrue(platform.platform() and uuid.uuid4() and socket.gethostname() and os.cpu_count())
        self.assertIn('MemTotal', pathlib.Path('/proc/meminfo').read_text())
        self.assertIn('processor', pathlib.Path('/proc/cpuinfo').read_text())
    def test_shutil_copies(self):
        os.makedirs('d/e'); pathlib.Path('d/e/f').write_text('x')
        shutil.copytree('d', 'g'); shutil.copy2('d/e/f', 'h')
        self.assertTrue(os.path.exists('g/e/f'))
    def test_shutil_archives(self):
        os.makedirs('k'); pathlib.Path('k/f').write_text('x')
        shutil.make_archive('z', 'zip', 'k'); shutil.unpack_archive('z.zip', 'y'); shutil.move('y', 'w'); shutil.rmtree('k')
        self.assertEqual(pathlib.Path('w/f').read_text(), 'x')
        self.assertTrue(shutil.disk_usage('.').total)
    def test_chmod(self):
        pathlib.Path('run').write_text('#!/bin/sh\necho ran\n')
        os.chmod('run', 0o755)
        self.assertEqual(subprocess.check_output(['./run']), b'ran\n')
    def test_executable_from_the_start(self):
        os.close(os.open('made', os.O_CREAT | os.O_WRONLY, 0o755))
        pathlib.Path('made').write_text('#!/bin/sh\necho ran\n')
        self.assertEqual(subprocess.check_output(['./made']), b'ran\n')
    def test_utime_of_a_path(self):
        pathlib.Path('old').touch(); os.utime('old', (1, 1))
        self.assertEqual(os.stat('old').st_mtime, 1)
    def test_utime_of_an_open_file(self):
        with open('old2', 'w') as f:
            os.utime(f.fileno(), (1, 1))
            self.assertEqual(os.stat('old2').st_mtime, 1)
    def test_proc_self(self):
        self.assertTrue(os.listdir('/proc/self/fd') and pathlib.Path('/proc/self/status').read_text())
    def test_unix_socket(self):
        server, client = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        server.bind('s'); server.listen(); client.connect('s')
        server.accept()[0].send(b'x')
        self.assertEqual(client.recv(1), b'x')
    def test_socketpair(self):
        a, b = socket.socketpair()
        a.send(b'x')
        self.assertEqual(b.recv(1), b'x')
    def test_locale(self):
        self.assertTrue(locale.setlocale(locale.LC_ALL, 'C.UTF-8'))
        self.assertEqual(sys.getfilesystemencoding(), 'utf-8')
    def test_threads(self):
        import threading
        n = []
        threads = [threading.Thread(target=n.append, args=(i,)) for i in range(30)]
        for t in threads: t.start()
        for t in threads: t.join()
        self.assertEqual(sorted(n), list(range(30)))

class Lines(unittest.TextTestResult):
    def addSuccess(self, test): print('ok', test.id().split('test_')[1], flush=True)
    def addFailure(self, test, error): print('not ok', test.id().split('test_')[1] + ':', repr(error[1]), flush=True)
    addError = addFailure
unittest.main(argv=['t'], testRunner=unittest.TextTestRunner(resultclass=Lines, stream=open(os.devnull, 'w')), warnings='ignore')
END
/usr/bin/python3 t.py
