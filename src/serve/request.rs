//! From a line to a request: what it names, and the episode that an execution is.

use super::answer::{Code, Fault};
use crate::spec::episode::Episode;
use crate::spec::parse::{FileContext, parse};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// What a client calls its request by: its JSON, a string or an integer.
#[derive(Clone, Debug)]
pub struct Id(Box<RawValue>);

/// The longest of them, in bytes.
const MOST_ID_BYTES: usize = 256;

impl Id {
    fn read(raw: &RawValue) -> Option<Id> {
        let text = raw.get();
        let named = text.starts_with('"') || text.parse::<i64>().is_ok();
        (named && text.len() <= MOST_ID_BYTES).then(|| Id(raw.to_owned()))
    }

    /// The id of answers to what has none that could be read.
    pub fn none() -> Id {
        Id(RawValue::NULL.to_owned())
    }

    pub fn raw(&self) -> &RawValue {
        &self.0
    }

    pub fn key(&self) -> &str {
        self.0.get()
    }
}

/// A line as far as all lines are alike.
#[derive(Deserialize)]
pub struct Head<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub op: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub entry: Option<&'a RawValue>,
    #[serde(borrow)]
    pub data: Option<Cow<'a, str>>,
    #[serde(default)]
    pub end: bool,
    #[serde(default)]
    pub abort: bool,
}

impl<'a> Head<'a> {
    /// The line's id, and the line if it can be read.
    pub fn read(line: &'a [u8]) -> (Id, Result<Head<'a>, Fault>) {
        if !line.trim_ascii_start().starts_with(b"{") {
            let message = "the line is no JSON object; send one object per line";
            return (Id::none(), Err(Fault::bad(message)));
        }
        let head: Head = match serde_json::from_slice(line) {
            Ok(head) => head,
            Err(error) => {
                let message = format!("the line can't be read: {error}");
                return (Id::none(), Err(Fault::bad(message)));
            }
        };
        match head.id.and_then(Id::read) {
            Some(id) => (id, Ok(head)),
            None => {
                let message = "`id` is missing, or no string or integer of at most 256 bytes; give the request one";
                (Id::none(), Err(Fault::bad(message)))
            }
        }
    }
}

/// The fields of a request beside `id` and `op`.
pub struct Fields {
    op: &'static str,
    fields: Map<String, Value>,
}

impl Fields {
    /// Reads a line again, whole; a field that is not among `known` is an error.
    pub fn read(line: &[u8], op: &'static str, known: &[&str]) -> Result<Fields, Fault> {
        let mut fields: Map<String, Value> = serde_json::from_slice(line)
            .map_err(|error| Fault::bad(format!("the line can't be read: {error}")))?;
        fields.remove("id");
        fields.remove("op");
        match fields.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(Fields { op, fields }),
            Some(name) => Err(Fault::bad(format!(
                "`{op}` has no field {name:?}; it takes {}",
                known.join(", ")
            ))),
        }
    }

    /// Takes out a field that has to be there, and a string.
    pub fn text(&mut self, name: &str) -> Result<String, Fault> {
        match self.fields.remove(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(Fault::bad(format!("`{name}` is not a string"))),
            None => Err(Fault::bad(format!("`{}` needs `{name}`", self.op))),
        }
    }

    /// Takes out a number of seconds, up to a week.
    pub fn seconds(&mut self, name: &str) -> Result<Option<f64>, Fault> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_f64() {
                Some(seconds) if (0.0..=604_800.0).contains(&seconds) => Ok(Some(seconds)),
                _ => Err(Fault::bad(format!(
                    "`{name}` must be from 0 to 604800 seconds, not {value}"
                ))),
            },
        }
    }
}

const START: &[&str] = &[
    "workdir",
    "env",
    "files",
    "resources",
    "timeout_s",
    "network",
    "capture",
    "fs_readable",
    "fs_writable",
    "wait_s",
    "idle_s",
];

const EXEC: &[&str] = &[
    "session",
    "command",
    "argv",
    "stdin",
    "env",
    "workdir",
    "timeout_s",
    "files",
];

/// What of a start applies to each execution.
const INHERITED: [&str; 5] = ["workdir", "env", "timeout_s", "capture", "resources"];

/// A `start` that was read.
pub struct Start {
    pub wait_s: Option<f64>,
    pub idle_s: Option<f64>,
    /// An episode with everything the session is to have, and a program that does nothing.
    pub episode: Episode,
    inherited: Map<String, Value>,
}

impl Start {
    pub fn read(line: &[u8], context: &FileContext) -> Result<Start, Fault> {
        let mut asked = Fields::read(line, "start", START)?;
        let (wait_s, idle_s) = (asked.seconds("wait_s")?, asked.seconds("idle_s")?);
        let mut fields = asked.fields;
        let inherited = INHERITED
            .iter()
            .filter_map(|name| Some((name.to_string(), fields.get(*name)?.clone())))
            .collect();
        fields.insert("argv".into(), json!(["true"]));
        Ok(Start {
            wait_s,
            idle_s,
            episode: episode(&fields, context)?,
            inherited,
        })
    }

    /// The execution that an `exec` of this session asks for.
    pub fn exec(&self, exec: Fields, context: &FileContext) -> Result<Episode, Fault> {
        let mut fields = self.inherited.clone();
        fields.insert("steps".into(), json!([exec.fields]));
        let mut episode = episode(&fields, context)?;
        episode.multi_step = false;
        episode.grants = self.episode.grants.clone();
        Ok(episode)
    }
}

/// The fields of an `exec`, and the session it is for.
pub fn exec(line: &[u8]) -> Result<(String, Fields), Fault> {
    let mut fields = Fields::read(line, "exec", EXEC)?;
    Ok((fields.text("session")?, fields))
}

/// The session and the path of a transfer.
pub fn transfer(line: &[u8], op: &'static str) -> Result<(String, String), Fault> {
    let mut fields = Fields::read(line, op, &["session", "path"])?;
    Ok((fields.text("session")?, fields.text("path")?))
}

/// The session and the request of it that is to be given up.
pub fn cancel(line: &[u8]) -> Result<(String, Id), Fault> {
    let mut fields = Fields::read(line, "cancel", &["session", "of"])?;
    let session = fields.text("session")?;
    let of = fields.fields.remove("of").unwrap_or_default();
    let raw = serde_json::value::to_raw_value(&of).expect("JSON from JSON");
    match Id::read(&raw) {
        Some(id) => Ok((session, id)),
        None => Err(Fault::bad("`cancel` needs `of`, the id of a request")),
    }
}

/// The session that is to be stopped.
pub fn stop(line: &[u8]) -> Result<String, Fault> {
    Fields::read(line, "stop", &["session"])?.text("session")
}

fn episode(fields: &Map<String, Value>, context: &FileContext) -> Result<Episode, Fault> {
    let text = serde_json::to_vec(fields).expect("JSON from JSON");
    parse(&text, 1, 1, context).map_err(|invalid| {
        Fault::new(
            Code::Invalid,
            invalid
                .message
                .replace("steps[0].", "")
                .replace("`steps[0]`", "the execution"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::upload::Frame;
    use super::*;
    use crate::spec::parse::Defaults;
    use proptest::prelude::*;
    use std::path::Path;
    use std::sync::Arc;

    /// Whatever a line holds, it is a request or it is answered with what is wrong with it.
    fn read(line: &[u8]) {
        let context = FileContext::new(
            "request".into(),
            Path::new("."),
            Arc::new(Defaults::default()),
        );
        let (id, head) = Head::read(line);
        assert!(!id.key().is_empty());
        if let Ok(head) = head {
            let _ = Frame::read(&head);
        }
        let start = Start::read(line, &context);
        if let (Ok(start), Ok((_, fields))) = (start, exec(line)) {
            let _ = start.exec(fields, &context);
        }
        let _ = (transfer(line, "upload"), cancel(line), stop(line));
    }

    /// Objects of the fields that requests have, with values of any kind.
    fn request() -> impl Strategy<Value = String> {
        let names = [
            START,
            EXEC,
            &["id", "op", "of", "path", "entry", "data", "end", "abort"],
        ]
        .concat();
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-z_]{0,9}", inner, 0..3)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        });
        let field = (prop::sample::select(names), value);
        prop::collection::vec(field, 0..6).prop_map(|fields| {
            let fields = fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value));
            Value::Object(fields.collect()).to_string()
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&line);
        }

        #[test]
        fn any_fields_are_read_without_a_panic(line in request()) {
            read(line.as_bytes());
        }
    }

    #[test]
    fn an_execution_has_what_its_session_was_started_with_and_its_own_over_it() {
        let context = FileContext::new(
            "request".into(),
            Path::new("."),
            Arc::new(Defaults::default()),
        );
        let start =
            br#"{"id":1,"op":"start","workdir":"/app","env":{"A":"1","B":"1"},"timeout_s":7}"#;
        let start = Start::read(start, &context).expect("a start");
        let own =
            br#"{"id":2,"op":"exec","session":"s1","argv":["x"],"env":{"B":"2"},"workdir":"sub"}"#;
        let (session, fields) = exec(own).expect("an exec");
        let episode = start.exec(fields, &context).expect("an episode");
        let step = &episode.steps[0];
        assert_eq!(
            (session.as_str(), step.workdir.as_str()),
            ("s1", "/app/sub")
        );
        assert_eq!((&*step.env["A"], &*step.env["B"]), ("1", "2"));
        assert_eq!(step.timeout.as_secs(), 7);
    }
}
