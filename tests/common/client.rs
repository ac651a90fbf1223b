//! A server of the tests' own, and a client of it that says exactly what it is told to.

use super::{Way, command, scratch, wait_for};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::cell::Cell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// No answer takes longer on a machine that works.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A running server; ended, with everything of it, when it is dropped.
pub struct Server {
    child: Child,
    pub directory: tempfile::TempDir,
}

impl Server {
    pub fn start(way: Way, arguments: &[&str]) -> Server {
        Server::start_in(scratch(), way, arguments)
    }

    pub fn start_in(directory: tempfile::TempDir, way: Way, arguments: &[&str]) -> Server {
        let server = Server {
            child: command(way.root)
                .args(["serve", "--socket", "s", "--isolation", way.tier])
                .args(arguments)
                .current_dir(directory.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the binary starts"),
            directory,
        };
        wait_for(|| server.path().exists());
        server
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn connect(&self) -> Client {
        Client::connect(&self.path())
    }

    /// Processes below the server.
    pub fn processes(&self) -> usize {
        descendants(self.pid())
    }

    /// The same, once as many slots are ready for the next sessions as there are to be.
    pub fn processes_at_rest(&self) -> usize {
        let ready = 2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        wait_for(|| self.connect().call("stats", json!({}))["result"]["ready"] == ready);
        self.processes()
    }

    /// What `stats` says of a count.
    pub fn count(&self, name: &str) -> u64 {
        let stats = self.connect().call("stats", json!({}));
        let count = stats["result"][name].as_u64();
        count.unwrap_or_else(|| panic!("no {name}: {stats}"))
    }

    /// A line of its `/proc/…/status` in kB.
    pub fn memory_kb(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("the server runs");
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        let value = value.expect("such a line").trim_start_matches(':').trim();
        value.trim_end_matches(" kB").parse().expect("kB")
    }

    /// Sends SIGTERM and waits; the exit status.
    pub fn end(mut self) -> Option<i32> {
        terminate(self.pid());
        self.wait()
    }

    #[track_caller]
    fn wait(&mut self) -> Option<i32> {
        let begin = Instant::now();
        while begin.elapsed() < ANSWER_TIMEOUT {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
        panic!("the server does not end");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        terminate(self.pid());
        let _ = if std::thread::panicking() {
            self.child.wait().ok().and_then(|status| status.code())
        } else {
            self.wait()
        };
    }
}

fn terminate(pid: u32) {
    let pid = nix::unistd::Pid::from_raw(pid as i32);
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
}

fn descendants(pid: u32) -> usize {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let pids = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    pids.map(|pid| 1 + descendants(pid)).sum()
}

pub struct Client {
    writer: UnixStream,
    reader: BufReader<UnixStream>,
    next: Cell<u64>,
    pub greeting: Value,
}

/// A session that a client has started.
pub struct Session<'a> {
    pub client: &'a mut Client,
    pub name: String,
}

impl Client {
    pub fn connect(path: &Path) -> Client {
        let client = Client::try_connect(path);
        assert!(client.greeting["protocol"].is_u64(), "{}", client.greeting);
        client
    }

    /// One that the server may have refused; then the greeting says why.
    pub fn try_connect(path: &Path) -> Client {
        let writer = UnixStream::connect(path).expect("connect");
        writer
            .set_read_timeout(Some(ANSWER_TIMEOUT))
            .expect("timeout");
        let reader = BufReader::new(writer.try_clone().expect("clone"));
        let mut client = Client {
            writer,
            reader,
            next: Cell::new(1),
            greeting: Value::Null,
        };
        client.greeting = client.receive();
        client
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).expect("send");
    }

    pub fn send(&mut self, message: &Value) {
        self.send_raw(format!("{message}\n").as_bytes());
    }

    #[track_caller]
    pub fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("an answer in time");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    /// Sends a request; its id.
    pub fn ask(&mut self, op: &str, mut fields: Value) -> u64 {
        let id = self.next.replace(self.next.get() + 1);
        fields["id"] = id.into();
        fields["op"] = op.into();
        self.send(&fields);
        id
    }

    /// Sends a request and waits for its answer, with nothing else under way.
    #[track_caller]
    pub fn call(&mut self, op: &str, fields: Value) -> Value {
        let id = self.ask(op, fields);
        let answer = self.receive();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    #[track_caller]
    pub fn start(&mut self, fields: Value) -> Session<'_> {
        let answer = self.call("start", fields);
        let name = answer["result"]["session"].as_str();
        let name = name.unwrap_or_else(|| panic!("{answer}")).to_owned();
        Session { client: self, name }
    }

    /// Says that nothing more comes.
    pub fn shut_down_writing(&self) {
        self.writer.shutdown(Shutdown::Write).expect("shutdown");
    }

    /// The same, and waits until the server has closed its side too.
    pub fn hang_up(mut self) {
        self.shut_down_writing();
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).expect("the end in time");
    }
}

/// One thing of a transfer: its entry, and what is in it.
pub type Item = (Value, Vec<u8>);

pub fn file(path: &str, content: &[u8]) -> Item {
    (json!({"path": path, "kind": "file"}), content.to_vec())
}

impl Session<'_> {
    fn with(&self, mut fields: Value) -> Value {
        fields["session"] = self.name.as_str().into();
        fields
    }

    #[track_caller]
    pub fn call(&mut self, op: &str, fields: Value) -> Value {
        let fields = self.with(fields);
        self.client.call(op, fields)
    }

    pub fn ask(&mut self, op: &str, fields: Value) -> u64 {
        let fields = self.with(fields);
        self.client.ask(op, fields)
    }

    /// The result of an execution.
    #[track_caller]
    pub fn exec(&mut self, fields: Value) -> Value {
        let answer = self.call("exec", fields);
        assert!(answer["result"].is_object(), "{answer}");
        answer["result"].clone()
    }

    /// What a command prints.
    #[track_caller]
    pub fn output(&mut self, command: &str) -> String {
        let result = self.exec(json!({"command": command}));
        result["output"].as_str().expect("a string").to_owned()
    }

    /// The final answer to an upload of these.
    #[track_caller]
    pub fn upload(&mut self, path: &str, items: &[Item]) -> Value {
        let id = self.ask("upload", json!({"path": path}));
        let ready = self.client.receive();
        if ready["ready"] != true {
            return ready;
        }
        for (entry, content) in items {
            self.client.send(&json!({"id": id, "entry": entry}));
            for piece in content.chunks(1 << 20) {
                let data = STANDARD.encode(piece);
                self.client.send(&json!({"id": id, "data": data}));
            }
        }
        self.client.send(&json!({"id": id, "end": true}));
        self.client.receive()
    }

    /// What a download brings, and its final answer.
    #[track_caller]
    pub fn download(&mut self, path: &str) -> (Vec<Item>, Value) {
        self.ask("download", json!({"path": path}));
        let mut items: Vec<Item> = Vec::new();
        loop {
            let frame = self.client.receive();
            if frame["entry"].is_object() {
                items.push((frame["entry"].clone(), Vec::new()));
            } else if let Some(data) = frame["data"].as_str() {
                let (_, content) = items.last_mut().expect("an entry before its data");
                content.extend(STANDARD.decode(data).expect("base64"));
            } else {
                return (items, frame);
            }
        }
    }
}

/// The code of an error answer.
#[track_caller]
pub fn code(answer: &Value) -> &str {
    let code = answer["error"]["code"].as_str();
    code.unwrap_or_else(|| panic!("no error: {answer}"))
}
