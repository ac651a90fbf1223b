//! Names of files as text.

/// A name that is UTF-8 as it is, with every byte that is not as `\xNN`. So that no two names become one, a backslash
/// that would begin such a sequence is written as `\x5c`: whoever replaces each `\xNN` by its byte has the name.
pub(crate) fn escaped(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find("\\x") {
            let digits = rest.as_bytes().get(at + 2..at + 4);
            let begins = digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
            text += &rest[..at];
            text += if begins { "\\x5c" } else { "\\" };
            rest = &rest[at + 1..];
        }
        text += rest;
        for byte in chunk.invalid() {
            text += &format!("\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unescaped(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, others)) = rest.split_first() {
            let digits = rest.strip_prefix(b"\\x").and_then(|r| r.get(..2));
            let byte = digits
                .and_then(|two| std::str::from_utf8(two).ok())
                .and_then(|two| u8::from_str_radix(two, 16).ok());
            bytes.push(byte.unwrap_or(*first));
            rest = if byte.is_some() { &rest[4..] } else { others };
        }
        bytes
    }

    #[test]
    fn names_of_text_stay_as_they_are_and_other_bytes_are_escaped() {
        assert_eq!(escaped("out/é.txt".as_bytes()), "out/é.txt");
        assert_eq!(escaped(b"back\\slash \\x \\xy1"), "back\\slash \\x \\xy1");
        assert_eq!(escaped(b"a\xFFb\xC3"), "a\\xffb\\xc3");
        assert_eq!(escaped(b"\\xff"), "\\x5cxff");
    }

    proptest! {
        #[test]
        fn no_two_names_become_one(name in proptest::collection::vec(
            prop_oneof![any::<u8>(), proptest::sample::select(&b"\\xf5c"[..])], 0..12)) {
            prop_assert_eq!(unescaped(&escaped(&name)), name);
        }
    }
}
