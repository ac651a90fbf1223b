//! What holds for any input.

use super::*;
use crate::spec::limits::KB;
use proptest::prelude::*;

/// Anything that is JSON, biased towards the names of real fields.
fn any_json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        "id|command|argv|steps|stdin|files|env|workdir|timeout_s|resources|meta|group",
        "base64|host_path|mode|memory_mb|cpu_time_s|name|on_failure|collect|fs_readable",
        ".{0,4}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
        Just(json!("stop")),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn parsing_never_panics_on_bytes(line in prop::collection::vec(any::<u8>(), 0..80)) {
        let parsed = read(&line);
        prop_assert_eq!(parsed.err().and_then(|e| e.id), id_of(&line));
    }

    #[test]
    fn parsing_never_panics_on_json_and_names_what_serde_does_not(value in any_json(), cut in 0usize..200) {
        let text = value.to_string();
        for line in [text.as_str(), text.get(..cut).unwrap_or("")] {
            match read(line) {
                Ok(episode) => prop_assert_eq!(Some(episode.id), id_of(line.as_bytes()).or(Some("line-17".into()))),
                Err(invalid) => {
                    prop_assert_eq!(invalid.id, id_of(line.as_bytes()));
                    prop_assert!(!invalid.message.contains("is not a valid episode"), "{}", invalid.message);
                }
            }
        }
    }

    #[test]
    fn a_valid_episode_arrives_as_it_was_written(
        id in "[^\\p{C}]{1,20}",
        argv in prop::collection::vec("[^\0]{1,9}", 1..4),
        stdin in ".{0,20}",
        env in prop::collection::btree_map("[A-Z_]{1,5}", "[^\0]{0,5}", 0..4),
        files in prop::collection::btree_map("[a-z]{1,5}", ".{0,9}", 0..4),
        timeout in 1u32..604_800,
        memory in 1u64..1_048_576,
        meta in any_json(),
    ) {
        let line = json!({"id": id, "argv": argv, "stdin": stdin, "env": env, "files": files,
            "timeout_s": timeout, "resources": {"memory_mb": memory}, "meta": meta});
        let episode = ok(line);
        prop_assert_eq!(episode.id, id);
        prop_assert_eq!(episode.sandbox.limits.memory_bytes, memory * MB);
        prop_assert_eq!(episode.sandbox.limits.output_bytes, 1024 * KB);
        let echoed = episode.echo.meta.unwrap();
        prop_assert_eq!(echoed.get(), meta.to_string());
        let step = &episode.steps[0];
        prop_assert_eq!(&step.program, &Program::Argv(argv));
        prop_assert_eq!(&step.stdin, stdin.as_bytes());
        prop_assert_eq!(&step.env, &env);
        prop_assert_eq!(step.timeout, Duration::from_secs(timeout.into()));
        let written: Vec<_> = step.files.iter().map(|f| (f.path.clone(), f.content.clone())).collect();
        let expected: Vec<_> = files.into_iter()
            .map(|(path, text)| (format!("/workspace/{path}"), Content::Bytes(text.into())))
            .collect();
        prop_assert_eq!(written, expected);
    }
}
