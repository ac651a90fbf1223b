//! From a line to a request: what it names, and what it asks for.

use super::answer::{Code, RequestError};
use super::fields::Fields;
use super::id::Id;
use crate::spec::episode::SessionStart;
use crate::spec::fields::{CANCEL, EXEC, START, STOP, TRANSFER};
use crate::spec::parse::{FileContext, parse_exec, parse_start};
use crate::spec::step::{Step, StepDefaults};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// What can be told of a line that was not taken, or can't be read, from its beginning.
#[derive(Default)]
pub(super) struct Beginning {
    pub id: Option<Id>,
    /// Whether it was a piece of an upload.
    pub is_piece: bool,
}

impl Beginning {
    pub(super) fn of(line: &[u8]) -> Beginning {
        let mut found = Beginning::default();
        // It breaks off somewhere: what was read until then is what counts.
        let _ = serde_json::Deserializer::from_slice(line).deserialize_map(&mut found);
        found
    }
}

impl<'de> Visitor<'de> for &mut Beginning {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut id = None;
        loop {
            let key = map.next_key::<Cow<'de, str>>()?;
            // Only now: a number may go on where the beginning ends.
            self.id = id.take().or(self.id.take());
            match key.as_deref() {
                None => return Ok(()),
                Some("id") => id = Id::read(map.next_value()?),
                Some(other) => {
                    self.is_piece |= matches!(other, "entry" | "data" | "end" | "abort");
                    map.next_value::<&RawValue>()?;
                }
            }
        }
    }
}

/// A line as far as all lines are alike.
#[derive(Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub op: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub entry: Option<&'a RawValue>,
    /// A string, as it was written.
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
    #[serde(default)]
    pub end: bool,
    #[serde(default)]
    pub abort: bool,
}

impl<'a> Head<'a> {
    /// Whether it belongs to an upload.
    pub(super) fn is_piece(&self) -> bool {
        self.entry.is_some() || self.data.is_some() || self.end || self.abort
    }

    /// The line's id, and the line if it can be read.
    pub(super) fn read(line: &'a [u8]) -> (Id, Result<Head<'a>, RequestError>) {
        if !line.trim_ascii_start().starts_with(b"{") {
            let message = "the line is no JSON object; send one object per line";
            return (Id::none(), Err(RequestError::bad(message)));
        }
        let head: Head = match serde_json::from_slice(line) {
            Ok(head) => head,
            Err(error) => {
                let message = format!("the line can't be read: {error}");
                return (Id::none(), Err(RequestError::bad(message)));
            }
        };
        match head.id.and_then(Id::read) {
            Some(id) => (id, Ok(head)),
            None => {
                let message = "`id` is missing, or no string or integer of at most 256 bytes; give the request one";
                (Id::none(), Err(RequestError::bad(message)))
            }
        }
    }
}

/// A `start` that was read. It is kept as it was written, for that takes the least memory, and is parsed again when there is
/// a slot for it.
pub(super) struct Start {
    pub wait_s: Option<f64>,
    pub idle_s: Option<f64>,
    line: String,
}

impl Start {
    pub(super) fn read(line: &[u8], context: &FileContext) -> Result<Start, RequestError> {
        let mut asked = Fields::read(line, "start", START)?;
        let start = Start {
            wait_s: asked.seconds("wait_s")?,
            idle_s: asked.seconds("idle_s")?,
            line: text(line)?,
        };
        start.parse(context)?;
        Ok(start)
    }

    pub(super) fn parse(&self, context: &FileContext) -> Result<SessionStart, RequestError> {
        parse_start(&self.line, context).map_err(|why| RequestError::new(Code::Invalid, why))
    }
}

/// An `exec` whose session is known. It is kept as it was written until its session gets to it.
pub(super) struct Exec {
    line: String,
}

impl Exec {
    /// With the session that it is for.
    pub(super) fn read(line: &[u8]) -> Result<(String, Exec), RequestError> {
        let mut fields = Fields::read(line, "exec", EXEC)?;
        let session = fields.text("session")?;
        Ok((session, Exec { line: text(line)? }))
    }

    pub(super) fn parse(
        self,
        defaults: &StepDefaults,
        context: &FileContext,
    ) -> Result<Step, RequestError> {
        parse_exec(&self.line, defaults, context)
            .map_err(|why| RequestError::new(Code::Invalid, why))
    }
}

fn text(line: &[u8]) -> Result<String, RequestError> {
    let text = std::str::from_utf8(line);
    text.map(str::to_owned)
        .map_err(|_| RequestError::bad("the line is not valid UTF-8"))
}

/// The session and the path of a transfer.
pub(super) fn transfer(line: &[u8], op: &'static str) -> Result<(String, String), RequestError> {
    let mut fields = Fields::read(line, op, TRANSFER)?;
    Ok((fields.text("session")?, fields.text("path")?))
}

/// The session and the request of it that is to be given up.
pub(super) fn cancel(line: &[u8]) -> Result<(String, Id), RequestError> {
    let mut fields = Fields::read(line, "cancel", CANCEL)?;
    let session = fields.text("session")?;
    match fields.take("of").and_then(Id::read) {
        Some(id) => Ok((session, id)),
        None => Err(RequestError::bad(
            "`cancel` needs `of`, the id of a request",
        )),
    }
}

/// The session that is to be stopped.
pub(super) fn stop(line: &[u8]) -> Result<String, RequestError> {
    Fields::read(line, "stop", STOP)?.text("session")
}

#[cfg(test)]
mod tests {
    use super::super::upload::Frame;
    use super::*;
    use crate::spec::parse::Defaults;
    use proptest::prelude::*;
    use serde_json::Value;
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
        let start = start.and_then(|start| start.parse(&context));
        if let (Ok(start), Ok((_, exec))) = (start, Exec::read(line)) {
            let _ = exec.parse(&start.defaults, &context);
        }
        let _ = (transfer(line, "upload"), cancel(line), stop(line));
    }

    /// Objects of the fields that requests have, with values of any kind.
    fn request() -> impl Strategy<Value = String> {
        let fields = [START, EXEC, TRANSFER, CANCEL].concat();
        let mut names: Vec<&str> = fields.iter().map(|field| field.name).collect();
        names.extend(["entry", "data", "end", "abort"]);
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
        let (session, exec) = Exec::read(own).expect("an exec");
        let start = start.parse(&context).expect("a session");
        let step = exec.parse(&start.defaults, &context).expect("a step");
        assert_eq!(
            (session.as_str(), step.workdir.as_str()),
            ("s1", "/app/sub")
        );
        assert_eq!((&*step.env["A"], &*step.env["B"]), ("1", "2"));
        assert_eq!(step.timeout.as_secs(), 7);
    }
}
