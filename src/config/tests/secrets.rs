//! Where secrets may stand, and that they are never printed.

use std::io::Write;

use super::*;

const AUTH: &str = "[kafka.auth]\nmethod = \"scram_sha_512\"\nusername = \"sluice\"\n";

fn password_of(given: &Given<'_>) -> (String, Vec<String>) {
    let Loaded { settings, warnings } = load_given(given).unwrap();
    assert!(!format!("{settings:?} {warnings:?}").contains("hunter2"));
    let Some(KafkaAuth::Password(login)) = settings.kafka.auth else { panic!("a password") };
    let password = login.password.reveal().to_owned();
    (password, warnings.iter().map(Warning::to_string).collect())
}

fn secret_file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn a_secret_comes_from_the_environment_a_file_or_systemd() {
    let text = format!("{MINIMAL}{AUTH}");
    let hunter = ("hunter2".to_owned(), Vec::new());
    let variables = [("SLUICE__KAFKA__AUTH__PASSWORD", "hunter2")];
    assert_eq!(
        password_of(&Given { text: &text, variables: &variables, ..Given::default() }),
        hunter
    );

    let file = secret_file("hunter2\n");
    let path = file.path().display();
    let with_file = format!("{text}password_file = \"{path}\"\n");
    assert_eq!(password_of(&Given { text: &with_file, ..Given::default() }), hunter);

    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("kafka.auth.password"), "hunter2").unwrap();
    let variables = [("CREDENTIALS_DIRECTORY", directory.path().to_str().unwrap())];
    assert_eq!(
        password_of(&Given { text: &text, variables: &variables, ..Given::default() }),
        hunter
    );
}

#[test]
fn a_secret_in_the_file_is_a_warning_and_a_fault_where_others_may_read_it() {
    let text = format!("{MINIMAL}{AUTH}password = \"hunter2\"\n");
    let warning = "connector.toml:9: `kafka.auth.password` is a secret in the file's own text: give it as an environment variable, a `..._file` or a systemd credential";
    let given = Given { text: &text, mode: Some(0o100_600), ..Given::default() };
    assert_eq!(password_of(&given), ("hunter2".to_owned(), vec![warning.to_owned()]));
    let fault = "connector.toml:9: `kafka.auth.password` is a secret in a file that others may read (mode 644): `chmod 600` the file, or move the secret out";
    let given = Given { text: &text, mode: Some(0o100_644), ..Given::default() };
    assert_eq!(faults_of(&given), [fault]);
}

#[test]
fn a_secret_on_the_command_line_is_a_warning() {
    let text = format!("{MINIMAL}{AUTH}");
    let arguments = ["kafka.auth.password=hunter2"];
    let warning = "--set: `kafka.auth.password` is a secret on the command line, which every user of the machine can read: give it as an environment variable or a `..._file`";
    let given = Given { text: &text, arguments: &arguments, ..Given::default() };
    assert_eq!(password_of(&given), ("hunter2".to_owned(), vec![warning.to_owned()]));
}

#[test]
fn a_secret_that_cannot_be_had_is_a_fault() {
    let empty = secret_file("\n");
    let path = empty.path().display();
    let text = format!("{MINIMAL}{AUTH}password_file = \"{path}\"\n");
    let fault = format!(
        "connector.toml:9: `kafka.auth.password_file` (`\"{path}\"`) names a file that holds no secret (empty, binary or over 64 KiB): write the secret into it, and nothing else"
    );
    assert_eq!(faults_of(&Given { text: &text, ..Given::default() }), [fault]);

    let text = format!("{MINIMAL}{AUTH}password_file = \"/nowhere\"\n");
    let fault = "connector.toml:9: `kafka.auth.password_file` (`\"/nowhere\"`) names a file that cannot be read (entity not found): check that it is there, and its owner and mode";
    assert_eq!(faults_of(&Given { text: &text, ..Given::default() }), [fault]);

    let text = format!("{MINIMAL}{AUTH}password = \"hunter2\"\npassword_file = \"/nowhere\"\n");
    let fault = "connector.toml:10: `kafka.auth.password_file` (`\"/nowhere\"`) and `kafka.auth.password` are both set: keep one of them";
    assert_eq!(faults_of(&Given { text: &text, ..Given::default() }), [fault]);
}

#[test]
fn keys_of_the_store_come_in_pairs() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["access_key_id", "secret_access_key"] {
        std::fs::write(directory.path().join(format!("s3.credentials.{name}")), name).unwrap();
    }
    let variables = [("CREDENTIALS_DIRECTORY", directory.path().to_str().unwrap())];
    let given = Given { text: MINIMAL, variables: &variables, ..Given::default() };
    let credentials = load_given(&given).unwrap().settings.s3.credentials;
    let secret = |text: &str| Secret::new(text.to_owned());
    let expected = S3Credentials::Keys {
        access_key_id: secret("access_key_id"),
        secret_access_key: secret("secret_access_key"),
        session_token: None,
    };
    assert_eq!(credentials, expected);

    let variables = [("SLUICE__S3__CREDENTIALS__SECRET_ACCESS_KEY", "hunter2")];
    let given = Given { text: MINIMAL, variables: &variables, ..Given::default() };
    let fault = "environment variable SLUICE__S3__CREDENTIALS__SECRET_ACCESS_KEY: `s3.credentials.secret_access_key` needs `s3.credentials.access_key_id` beside it: add that, or remove this";
    assert_eq!(faults_of(&given), [fault]);
}

#[test]
fn passwords_in_the_clear_and_open_pages_are_warnings() {
    let text = format!(
        "{MINIMAL}[kafka.auth]\nmethod = \"plain\"\nusername = \"a\"\n[http]\nlisten = \"0.0.0.0:0\"\n"
    );
    let variables = [("SLUICE__KAFKA__AUTH__PASSWORD", "hunter2")];
    let (_, warnings) =
        password_of(&Given { text: &text, variables: &variables, ..Given::default() });
    assert_eq!(
        warnings,
        [
            "connector.toml:7: `kafka.auth.method` (`\"plain\"`) sends the password in the clear without `kafka.tls.enabled`: enable it, or use `scram_sha_512`",
            "connector.toml:10: `http.listen` (`\"0.0.0.0:0\"`) can be reached from other machines, and it has no login: keep it on 127.0.0.1, or set `http.auth` and `http.tls`",
        ]
    );
}

#[test]
fn a_secret_among_the_properties_is_judged_like_any_other() {
    let text = format!("{MINIMAL}[kafka.properties]\n\"ssl.key.password\" = \"hunter2\"\n");
    let fault = "connector.toml:7: `kafka.properties.\"ssl.key.password\"` is a secret in a file that others may read (mode 640): `chmod 600` the file, or move the secret out";
    let given = Given { text: &text, mode: Some(0o100_640), ..Given::default() };
    assert_eq!(faults_of(&given), [fault]);
    let loaded = load_text(&text).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(!format!("{loaded:?}").contains("hunter2"));
}
