use super::*;
use flate2::{Compression, GzBuilder};
use std::io::Write;

type Decode = fn(&[u8]) -> io::Result<String>;

fn text(mut decoder: impl Read) -> io::Result<String> {
    let mut text = String::new();
    decoder.read_to_string(&mut text)?;
    Ok(text)
}

fn gunzip(bytes: &[u8]) -> io::Result<String> {
    text(gzip(bytes, Zeros::Padding))
}

fn unzstd(bytes: &[u8]) -> io::Result<String> {
    text(zstd(bytes, Zeros::Padding)?)
}

fn gz(content: &str) -> Vec<u8> {
    plainly(GzBuilder::new(), content)
}

fn plainly(header: GzBuilder, content: &str) -> Vec<u8> {
    let mut encoder = header.write(Vec::new(), Compression::fast());
    encoder.write_all(content.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Its size is known to the encoder, or not.
fn zst(content: &str, checksum: bool, sized: bool) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(checksum).unwrap();
    encoder.include_contentsize(sized).unwrap();
    let size = sized.then_some(content.len() as u64);
    encoder.set_pledged_src_size(size).unwrap();
    encoder.write_all(content.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn skippable(kind: u8, length: u8) -> Vec<u8> {
    let mut frame = vec![0x50 | kind, 0x2A, 0x4D, 0x18, length, 0, 0, 0];
    frame.extend(vec![0xAA; length.into()]);
    frame
}

#[test]
fn members_of_gzip_are_read_one_after_the_other_whatever_their_headers_say() {
    let named = GzBuilder::new()
        .filename("a.jsonl")
        .comment("made by hand")
        .extra(b"AB\x04\0data".as_slice())
        .mtime(1);
    let members = [gz("one\n"), gz(""), plainly(named, "two\n"), gz("")].concat();
    assert_eq!(gunzip(&members).unwrap(), "one\ntwo\n");
    assert_eq!(gunzip(&gz("")).unwrap(), "");
}

#[test]
fn zeros_after_members_of_gzip_mean_nothing() {
    let zeros = vec![0; 300_000];
    assert_eq!(
        gunzip(&[gz("one\n"), zeros.clone()].concat()).unwrap(),
        "one\n"
    );
    let between = [gz("one\n"), zeros, gz("two\n")].concat();
    assert_eq!(gunzip(&between).unwrap(), "one\ntwo\n");
}

#[test]
fn frames_of_zstandard_are_read_one_after_the_other_with_frames_to_skip_anywhere() {
    for (checksum, sized) in [(false, false), (false, true), (true, false), (true, true)] {
        let frames = [
            skippable(0, 4),
            skippable(15, 0),
            zst("one\n", checksum, sized),
            skippable(7, 255),
            zst("", checksum, sized),
            zst("two\n", checksum, sized),
            skippable(1, 1),
        ];
        assert_eq!(unzstd(&frames.concat()).unwrap(), "one\ntwo\n");
    }
    assert_eq!(unzstd(&skippable(0, 9)).unwrap(), "");
}

#[test]
fn what_is_torn_anywhere_is_an_error_that_says_where() {
    let long = (0..2000).map(|n| format!("{n}\n")).collect::<String>();
    let gz_file = [gz("one\n"), gz(&long)].concat();
    let zst_file = [
        zst("one\n", true, true),
        skippable(3, 50),
        zst(&long, true, false),
    ]
    .concat();
    let ends: [(&[u8], Decode, Vec<usize>); 2] = [
        (&gz_file, gunzip, vec![gz("one\n").len()]),
        (
            &zst_file,
            unzstd,
            vec![
                zst("one\n", true, true).len(),
                zst("one\n", true, true).len() + skippable(3, 50).len(),
            ],
        ),
    ];
    for (whole, decode, between) in ends {
        assert!(decode(whole).unwrap().ends_with("1999\n"));
        for length in 1..whole.len() {
            let read = decode(&whole[..length]);
            if between.contains(&length) {
                assert_eq!(read.unwrap(), "one\n")
            } else {
                let told = read.expect_err(&format!("{length} bytes")).to_string();
                assert!(told.contains(" bytes into the compressed data"), "{told}");
            }
        }
    }
}

#[test]
fn what_is_damaged_or_followed_by_something_else_is_an_error() {
    for tail in [
        &b"garbage"[..],
        b"\0\0garbage",
        b"\x1F",
        b"\x1F\x8Cxxxxxxxxxxxxxx",
    ] {
        assert!(
            gunzip(&[&gz("one\n")[..], tail].concat()).is_err(),
            "{tail:?}"
        );
        let zstd = zst("one\n", true, true);
        assert!(unzstd(&[&zstd[..], tail].concat()).is_err(), "{tail:?}");
    }
    let content = "the same again and again\n".repeat(100);
    for (mut file, decode) in [
        (gz(&content), gunzip as Decode),
        (zst(&content, true, true), unzstd),
    ] {
        // Its last bytes are a checksum, or the length.
        *file.last_mut().unwrap() ^= 0x40;
        assert!(decode(&file).is_err());
    }
}
