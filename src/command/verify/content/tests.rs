use std::sync::Arc;

use super::*;
use crate::format::{Compression, Compressors};
use crate::model::Bucket;
use crate::s3::memory::{Fault, MemoryStore};
use crate::s3::{Operation, Writes};

fn store() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(Bucket::new("abc").unwrap(), Writes::Conditional))
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(name).unwrap()
}

async fn content(name: &str, body: &[u8]) -> Result<Content, ContentError> {
    let store = store();
    store.plant(&key(name), body, &[]);
    let size = u64::try_from(body.len()).unwrap();
    let store: Store = store;
    read_content(ObjectReader::new(&store, &key(name), size)).await
}

/// Two members of lines that hardly compress, 9 MB: several ranges, and pieces that cut members.
fn lines() -> Vec<Vec<u8>> {
    let mut state = 1_u64;
    let line = |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{state:016x}\n")
    };
    let all: Vec<String> = (0..540_000).map(line).collect();
    let (one, other) = all.split_at(200_000);
    vec![one.concat().into_bytes(), other.concat().into_bytes()]
}

fn packed(compression: Compression, members: &[Vec<u8>]) -> Vec<u8> {
    let (mut compressors, mut out) = (Compressors::new(), Vec::new());
    for member in members {
        compressors.compress(compression, member, |bytes| out.extend_from_slice(bytes));
    }
    out
}

const KINDS: [(Compression, &str); 3] = [
    (Compression::None, "a.json"),
    (Compression::Gzip, "a.json.gz"),
    (Compression::Zstd, "a.json.zst"),
];

#[tokio::test(start_paused = true)]
async fn large_objects_are_read_in_ranges_and_unpacked_by_their_name() {
    let members = lines();
    let whole = members.concat();
    for (compression, name) in KINDS {
        let content = content(name, &packed(compression, &members)).await.unwrap();
        let expected = (u64::try_from(whole.len()).unwrap(), 540_000, true, blake3::hash(&whole));
        let Content { bytes, newlines, ends_with_newline, hash } = content;
        assert_eq!((bytes, newlines, ends_with_newline, hash), expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_few_bytes_that_become_megabytes_are_unpacked_whole() {
    let members = [b"{\"n\":1}\n".repeat(500_000), b"{}\n".to_vec()];
    for (compression, name) in KINDS {
        let body = packed(compression, &members);
        assert_eq!(content(name, &body).await.unwrap().newlines, 500_001, "{name}");
    }
    // Others write zstd without a checksum, which is what comes last in our frames.
    let body = zstd::encode_all(members[0].as_slice(), 1).unwrap();
    assert_eq!(content("a.zst", &body).await.unwrap().newlines, 500_000);
}

#[tokio::test(start_paused = true)]
async fn members_that_are_cut_or_damaged_are_noticed_wherever_it_is() {
    let members = [b"{\"n\":1}\n".repeat(20), b"{\"n\":2}\n".repeat(3)];
    for (compression, name) in &KINDS[1..] {
        let whole = packed(*compression, &members);
        let first = packed(*compression, &members[..1]).len();
        for length in 1..whole.len() {
            let cut = content(name, &whole[..length]).await.map(|content| content.newlines);
            let expected = if length == first { Ok(20) } else { Err(ContentError::Damaged) };
            assert_eq!(cut, expected, "{name} {length}");
        }
        let mut behind = whole.clone();
        behind.extend_from_slice(b"garbage");
        assert_eq!(content(name, &behind).await, Err(ContentError::Damaged), "{name}");
        let intact = content(name, &whole).await.unwrap();
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 0x10;
            // A byte that means nothing (gzip's time, its system) changes nothing of the content.
            if let Ok(content) = content(name, &damaged).await {
                assert_eq!(content, intact, "{name} {index}");
            }
        }
    }
    let empty = content("a.json", b"").await.unwrap();
    assert_eq!((empty.bytes, empty.newlines, empty.ends_with_newline), (0, 0, false));
}

#[tokio::test(start_paused = true)]
async fn time_heals_some_failures_and_others_are_answers() {
    let planted = store();
    planted.plant(&key("a"), b"1\n2\n", &[]);
    for nth in 1..ATTEMPTS_MAX {
        planted.fail(Operation::Get, "a", nth, Fault::answer("SlowDown", 503));
    }
    let store: Store = Arc::clone(&planted) as Store;
    let read = |size| read_content(ObjectReader::new(&store, &key("a"), size));
    assert_eq!(read(4).await.map(|content| content.newlines), Ok(2));
    planted.fail(Operation::Get, "a", 1, Fault::answer("AccessDenied", 403));
    let asked = planted.requests().len();
    let Err(ContentError::Store(denied)) = read(4).await else { panic!("it is denied") };
    assert!(!is_store_away(&denied));
    assert_eq!(planted.requests().len(), asked + 1, "asked once");
    for nth in 1..=ATTEMPTS_MAX {
        planted.fail(Operation::Get, "a", nth, Fault::answer("SlowDown", 503));
    }
    let Err(ContentError::Store(away)) = read(4).await else { panic!("it is away") };
    assert!(is_store_away(&away));
    assert_eq!(read(9).await, Err(ContentError::Replaced), "it was longer when it was listed");
    planted.remove(&key("a"));
    assert_eq!(read(4).await, Err(ContentError::Replaced));
}
