//! What is in the bucket, read as plain files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use super::{CheckError, Digest};
use crate::model::{Offset, TopicPartition};

/// The first element of every object's key in the default layout.
const PREFIX: &str = "topics";
/// The first element of the claims' keys: not data.
const CLAIMS: &str = "_sluice";

/// One object: a file whose name says which partition and where it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectLines {
    pub path: PathBuf,
    /// By the file's name.
    pub start: Offset,
    pub lines: Vec<Digest>,
    pub bytes: u64,
    /// Whether the last line ends as a line does.
    pub is_whole: bool,
}

/// All files of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// In the order of their starts.
    pub objects: BTreeMap<TopicPartition, Vec<ObjectLines>>,
    /// Files whose name is none that the default layout gives.
    pub strangers: Vec<PathBuf>,
}

/// Reads every file below `bucket_folder` but the claims.
pub fn read_files(bucket_folder: &Path) -> Result<Found, CheckError> {
    let mut found = Found::default();
    let mut folders = vec![bucket_folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |source| CheckError::File { path: folder.clone(), source };
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            if path == bucket_folder.join(CLAIMS) {
                continue;
            }
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(bucket_folder).ok().and_then(Path::to_str);
            match name.and_then(parse_name) {
                Some((partition, start)) => {
                    let object = read_lines(path, start)?;
                    found.objects.entry(partition).or_default().push(object);
                }
                None => found.strangers.push(path),
            }
        }
    }
    for objects in found.objects.values_mut() {
        objects.sort_by_key(|object| object.start);
    }
    found.strangers.sort();
    Ok(found)
}

fn read_lines(path: PathBuf, start: Offset) -> Result<ObjectLines, CheckError> {
    let failed = |source| CheckError::File { path: path.clone(), source };
    let mut reader = BufReader::new(File::open(&path).map_err(failed)?);
    let (mut lines, mut line, mut is_whole) = (Vec::new(), Vec::new(), true);
    let mut bytes = 0;
    while reader.read_until(b'\n', &mut line).map_err(failed)? > 0 {
        bytes += line.len() as u64;
        is_whole = line.ends_with(b"\n");
        lines.push(Digest::of(line.strip_suffix(b"\n").unwrap_or(&line)));
        line.clear();
    }
    Ok(ObjectLines { path, start, lines, bytes, is_whole })
}

/// Reads `topics/<topic>/partition=<n>/<topic>+<n>+<start>.json`; none for any other spelling.
fn parse_name(name: &str) -> Option<(TopicPartition, Offset)> {
    let rest = name.strip_prefix(PREFIX)?.strip_prefix('/')?;
    let (topic, rest) = rest.split_once('/')?;
    let (folder, file) = rest.split_once('/')?;
    let index = folder.strip_prefix("partition=")?.parse().ok()?;
    let start = file.strip_suffix(".json")?.rsplit_once('+')?.1.parse().ok()?;
    let partition = TopicPartition::new(topic, index).ok()?;
    let canonical = format!("{PREFIX}/{topic}/partition={index}/{topic}+{index}+{start:010}.json");
    (name == canonical).then_some((partition, Offset::new(start).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_layouts_names_are_read() {
        let read = |name| parse_name(name).map(|(of, start)| (of.to_string(), start.value()));
        assert_eq!(
            read("topics/12ab34.pin/partition=12/12ab34.pin+12+0000000042.json"),
            Some(("12ab34.pin/12".to_owned(), 42))
        );
        assert_eq!(
            read("topics/pin/partition=0/pin+0+12345678901.json"),
            Some(("pin/0".to_owned(), 12_345_678_901))
        );
    }

    #[test]
    fn any_other_name_is_a_stranger() {
        for name in [
            "",
            "topics/pin/partition=0/pin+0+0000000042.json.gz",
            "topics/pin/partition=0/pin+0+42.json",
            "topics/pin/partition=0/pin+0+00000000042.json",
            "topics/pin/partition=0/pin+1+0000000042.json",
            "topics/pin/partition=0/geo+0+0000000042.json",
            "topics/pin/partition=00/pin+00+0000000042.json",
            "topics/pin/partition=+1/pin++1+0000000042.json",
            "topics/pin/partition=0/pin+0+-000000042.json",
            "topics/pin/partition=0/more/pin+0+0000000042.json",
            "topics/pin/pin+0+0000000042.json",
            "_quarantine/pin/partition=0/pin+0+0000000042.json",
        ] {
            assert_eq!(parse_name(name), None, "{name}");
        }
    }

    #[test]
    fn claims_are_no_data_and_every_other_file_is_seen() {
        let bucket = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = bucket.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("_sluice/cluster/group/pin/0", "claim");
        put("topics/pin/partition=0/pin+0+0000000002.json", "c\nd");
        put("topics/pin/partition=0/pin+0+0000000000.json", "a\nb\n");
        put("topics/readme.txt", "?");
        let found = read_files(bucket.path()).unwrap();
        assert_eq!(found.strangers, [bucket.path().join("topics/readme.txt")]);
        let objects = &found.objects[&TopicPartition::new("pin", 0).unwrap()];
        let read: Vec<_> =
            objects.iter().map(|object| (object.start.value(), object.is_whole)).collect();
        assert_eq!(read, [(0, true), (2, false)]);
        assert_eq!(objects[0].lines, [Digest::of(b"a"), Digest::of(b"b")]);
        assert_eq!(objects[1].lines, [Digest::of(b"c"), Digest::of(b"d")]);
    }
}
