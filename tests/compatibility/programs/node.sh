# node: files, child processes, workers, timers, promises, compression, crypto, WebAssembly, much garbage.
cat > main.js <<'END'
const fs = require('fs'), os = require('os'), path = require('path'), zlib = require('zlib'), crypto = require('crypto');
const { Worker, isMainThread, parentPort } = require('worker_threads');
const { execFileSync, spawn, fork } = require('child_process');
const checks = {
    async files() {
        const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'x-'));
        fs.writeFileSync(path.join(dir, 'a'), 'text');
        const seen = fs.readFileSync(path.join(dir, 'a'), 'utf8') + (await fs.promises.readdir(dir)).length;
        fs.rmSync(dir, { recursive: true });
        return seen === 'text1';
    },
    shell() { return execFileSync('sh', ['-c', 'echo shell']).toString() === 'shell\n'; },
    async spawn() { return await new Promise(done => spawn('sh', ['-c', 'exit 3']).on('close', done)) === 3; },
    async worker() { return await new Promise(done => new Worker(__filename).on('message', done)) === 42; },
    async fork() { return await new Promise(done => fork(__filename, ['child']).on('message', done)) === 'from a child'; },
    zlib() { return zlib.gunzipSync(zlib.gzipSync('zipped')).toString() === 'zipped'; },
    async crypto() { return await new Promise((done, no) => crypto.pbkdf2('a', 'b', 1000, 8, 'sha256', (e, k) => e ? no(e) : done(k.length))) === 8; },
    wasm() { return new WebAssembly.Memory({ initial: 1 }).buffer.byteLength === 65536; },
    machine() { return os.cpus().length > 0 && os.totalmem() > 0; },
    garbage() { let n = 0; for (let i = 0; i < 20000; i++) n += new Array(5000).fill(i).length; return n === 100000000; },
};
if (!isMainThread) parentPort.postMessage(6 * 7);
else if (process.argv[2] === 'child') process.send('from a child');
else (async () => {
    for (const [name, check] of Object.entries(checks)) {
        try { console.log(await check() ? 'ok' : 'not ok', name); } catch (e) { console.log('not ok', name + ':', e.message); }
    }
})();
END
node main.js
