//! What is made of the settings shows no secret either.

use std::num::NonZeroUsize;
use std::path::Path;

use super::*;
use crate::config::{FileText, Sources, load};

/// Stands in every secret of the file.
const MARKER: &str = "hunter2";

fn settings() -> Settings {
    let text = format!(
        "[kafka]\nbootstrap_servers = [\"localhost:9092\"]\ntopics = [\"pin\"]\n\
         [kafka.auth]\nmethod = \"scram_sha_512\"\nusername = \"sluice\"\n\
         password = \"{MARKER}-password\"\n\
         [kafka.properties]\n\"ssl.key.password\" = \"{MARKER}-key\"\n\
         [s3]\nbucket = \"bkt\"\n\
         [s3.credentials]\naccess_key_id = \"{MARKER}-id\"\n\
         secret_access_key = \"{MARKER}-secret\"\nsession_token = \"{MARKER}-token\"\n"
    );
    let file = FileText { path: Path::new("connector.toml").into(), text, mode: None };
    let sources = Sources {
        file: Some(&file),
        variables: &BTreeMap::new(),
        arguments: &[],
        cores: NonZeroUsize::MIN,
    };
    load(&sources).map_err(|faults| faults.to_string()).unwrap().settings
}

#[test]
fn no_secret_is_in_the_debug_of_settings_or_of_what_is_made_of_them() {
    let settings = settings();
    let kafka = consumer_options(&settings, "host-1".to_owned());
    let s3 = s3_options(&settings.s3);

    // They are in there: otherwise the rest would prove nothing.
    let passed_on = |name: &str| kafka.properties.get(name).map(String::as_str);
    assert_eq!(passed_on("sasl.password"), Some("hunter2-password"));
    assert_eq!(passed_on("ssl.key.password"), Some("hunter2-key"));
    let keys = s3.credentials.as_ref().unwrap();
    assert_eq!(keys.session_token.as_deref(), Some("hunter2-token"));

    for shown in [format!("{settings:#?}"), format!("{kafka:#?}"), format!("{s3:#?}")] {
        assert!(!shown.contains(MARKER), "{shown}");
    }
}
