//! The reference says what the table says.

use super::{EPISODE, Field, RESOURCE, STEP};
use std::fmt::Write;
use std::path::Path;

/// The reference, and the tables in it that are made from the fields: each stands between two comments with its name.
const REFERENCE: &str = "jobs/README.md";
const TABLES: [(&str, &[&Field]); 3] =
    [("episode", EPISODE), ("step", STEP), ("limits", &RESOURCE)];

fn table(fields: &[&Field]) -> String {
    let mut text = String::from("| field | type | default | meaning |\n|---|---|---|---|\n");
    for field in fields {
        let Field {
            name,
            shape,
            default,
            doc,
        } = field;
        writeln!(text, "| `{name}` | {shape} | {default} | {doc} |").unwrap();
    }
    text
}

/// With UPDATE_EXPECT=1 the tables are written anew.
#[test]
fn the_tables_of_the_reference_are_made_from_the_fields() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(REFERENCE);
    let written = std::fs::read_to_string(&path).unwrap();
    let mut wanted = written.clone();
    for (name, fields) in TABLES {
        let (begin, end) = (format!("<!-- table: {name} -->\n"), "<!-- end -->\n");
        let (before, rest) = wanted.split_once(&begin).expect(name);
        let (_, after) = rest.split_once(end).expect(name);
        wanted = [before, &begin, &table(fields), end, after].concat();
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    } else {
        assert!(
            written == wanted,
            "{REFERENCE} is not what the fields say; run this test with UPDATE_EXPECT=1"
        );
    }
}

#[test]
fn the_protocol_names_every_field_of_a_session() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/serve/PROTOCOL.md");
    let protocol = std::fs::read_to_string(path).unwrap();
    for field in super::START {
        assert!(
            ["`", "\""]
                .iter()
                .any(|quote| protocol.contains(&format!("{quote}{}{quote}", field.name))),
            "{}",
            field.name
        );
    }
}
