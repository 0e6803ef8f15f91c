//! The environment, `--set`, and which of the three wins.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

#[test]
fn arguments_go_before_the_environment_and_that_before_the_file() {
    let text = format!("{MINIMAL}[seal]\nage = \"1 s\"\nrecords = 10\n");
    let given = Given {
        text: &text,
        variables: &[
            ("SLUICE__SEAL__AGE", "2 s"),
            ("SLUICE__SEAL__BYTES", "off"),
            ("SLUICE__KAFKA__TOPICS", "pin, geo"),
            ("SLUICE__KAFKA__GROUP_ID", "007"),
            ("SLUICE_CONFIG", "elsewhere"),
        ],
        arguments: &["seal.age=3 s", "seal.object_bytes=\"1 KB\"", "s3.path_style=true"],
        ..Given::default()
    };
    let settings = load_given(&given).unwrap().settings;
    let seal = settings.for_topic(&topic("pin")).seal;
    assert_eq!((seal.age, seal.records), (Some(Duration::from_secs(3)), Some(10)));
    assert_eq!((seal.bytes, seal.object_bytes), (None, Some(1_000)));
    assert_eq!(settings.kafka.topics, Topics::Names(vec![topic("pin"), topic("geo")]));
    assert_eq!(settings.kafka.group_id.as_str(), "007");
    assert!(settings.s3.path_style);
}

#[test]
fn everything_may_come_from_the_environment() {
    let variables = BTreeMap::from([
        ("SLUICE__KAFKA__BOOTSTRAP_SERVERS".to_owned(), "[::1]:9092,broker:9093".to_owned()),
        ("SLUICE__KAFKA__TOPICS".to_owned(), "[\"pin\"]".to_owned()),
        ("SLUICE__S3__BUCKET".to_owned(), "bucket".to_owned()),
    ]);
    let cores = NonZeroUsize::new(64).unwrap();
    let sources = Sources { file: None, variables: &variables, arguments: &[], cores };
    let settings = load(&sources).unwrap().settings;
    assert_eq!(settings.kafka.bootstrap_servers, ["[::1]:9092", "broker:9093"]);
    assert_eq!(settings.limits.workers.get(), 64);
}

#[test]
fn nothing_at_all_lists_what_is_needed() {
    let variables = BTreeMap::new();
    let cores = NonZeroUsize::MIN;
    let faults = load(&Sources { file: None, variables: &variables, arguments: &[], cores });
    let expected = r#"no file: `kafka.bootstrap_servers` is missing: add it, for example `bootstrap_servers = ["localhost:9092"]`
no file: `kafka.topics` names no topics: add `topics = ["pin", "geo", "user"]`, or `topics_regex` for all that match
no file: `s3.bucket` is missing: add it, for example `bucket = "user-12ab34-bucket"`"#;
    assert_eq!(faults.unwrap_err().to_string(), expected);
}

#[test]
fn faults_name_the_variable_and_the_argument() {
    let given = Given {
        text: MINIMAL,
        variables: &[
            ("SLUICE__S3__BUKET", "abc"),
            ("SLUICE__SEAL__AGE", "soon"),
            ("SLUICE__OVERRIDE", "[{ topics = \"a\" }]"),
        ],
        arguments: &["seal.age", "seal.bites=1", "kafka.topics=pin,pin", "limits.workers=x"],
        ..Given::default()
    };
    assert_eq!(
        faults_of(&given),
        [
            r#"environment variable SLUICE__OVERRIDE: `override` (`"[{ topics = \"a\" }]"`) belongs to the whole list of overrides, which only the file can give: write it there"#,
            r#"environment variable SLUICE__S3__BUKET: `s3.buket` (`"abc"`) is no key of Sluice: did you mean `SLUICE__S3__BUCKET`?"#,
            r#"environment variable SLUICE__SEAL__AGE: `seal.age` (`"soon"`) is not a duration: write a number and a unit, as in `"5 min"`, `"90 s"`, `"500 ms"`"#,
            r#"--set: (`seal.age`) is not of the form `key=value`: write for example `--set seal.age="5 s"`"#,
            r#"--set: `kafka.topics[1]` (`"pin"`) is named twice: remove one of them"#,
            r#"--set: `limits.workers` (`"x"`) is text where `"cores"` or a number is wanted: change it"#,
            r#"--set: `seal.bites` (`"1"`) is no key of Sluice: did you mean `seal.bytes`?"#,
        ]
    );
}

#[test]
fn a_file_that_is_not_toml_has_one_fault() {
    let given = Given { text: "[kafka]\ntopics = [\"pin\"\n[s3]\n", ..Given::default() };
    assert_eq!(
        faults_of(&given),
        [
            "connector.toml:3: is not TOML: missing comma between array elements, expected `,`: correct that line, the rest is read after it",
        ]
    );
}

#[test]
fn a_file_lists_five_faults_of_five_kinds_at_once() {
    let text = "[kafka]
bootstrap_servers = [\"localhost:9092\"]
topics_regex = '12ab34\\.(pin|geo'
flush_interval = 5
[s3]
bucket = \"User_Bucket\"
[seal]
age = \"five minutes\"
[layout]
path = \"{topic}/{tpoic}/partition={partition}\"
";
    assert_eq!(
        faults_of(&Given { text, ..Given::default() }),
        [
            r#"connector.toml:3: `kafka.topics_regex` (`"12ab34\\.(pin|geo"`) is not a regular expression: unclosed group: correct it, or write `\.` where a dot is meant"#,
            "connector.toml:4: `kafka.flush_interval` (`5`) is no key of Sluice: correct or remove it",
            r#"connector.toml:6: `s3.bucket` (`"User_Bucket"`) is no name that Kafka or S3 takes: bucket `User_Bucket` may hold lower-case letters, digits, `-` and `.` only: rename it"#,
            r#"connector.toml:8: `seal.age` (`"five minutes"`) is not a duration: write a number and a unit, as in `"5 min"`, `"90 s"`, `"500 ms"`"#,
            r#"connector.toml:10: `layout.path` (`"{topic}/{tpoic}/partition={partition}"`) cannot be used: unknown variable `{tpoic}` at position 9, did you mean `topic`?; allowed are {topic}, {partition}, {time:%Y-%m-%d}, {field:/pointer}, {header:name}, {key}"#,
        ]
    );
}

#[test]
fn a_fault_hides_no_other() {
    let text = "kafka = 1
[s3]
bucket = \"B\"
part_size = \"1 GiB\"
claims_prefix = \"topics/\"
";
    let places = faults_of(&Given { text, ..Given::default() });
    let places: Vec<_> = places.iter().map(|fault| fault.split(" (").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "connector.toml:1: `kafka`",
            "connector.toml:3: `s3.bucket`",
            "connector.toml:5: `s3.claims_prefix`",
            "default: `limits.memory`",
        ]
    );
}

/// A key of the table with some value of TOML, or plain text for the whole file.
fn any_file() -> impl Strategy<Value = String> {
    let paths: Vec<&str> = keys::all().map(|key| key.path).collect();
    let values = [
        "0",
        "-1",
        "1.5",
        "true",
        "\"\"",
        "\"off\"",
        "\"\u{e9}/..\"",
        "[]",
        "[1]",
        "{}",
        "{ a = 1 }",
        "1979-05-27",
        "\"{topic}\"",
        "\"9999999999 EiB\"",
        "\"99999999999999 years\"",
    ];
    let line = (select(paths), select(values.to_vec()));
    let lines = vec(line, 0..6).prop_map(|lines| {
        lines.into_iter().map(|(path, value)| format!("{path} = {value}\n")).collect::<String>()
    });
    prop_oneof![lines, "[ -~\n]{0,80}"]
}

proptest! {
    #[test]
    fn any_file_loads_or_says_why(text in any_file(), argument in "[a-z.\"=\\[\\] ]{0,20}") {
        let arguments = [argument.as_str()];
        let given = Given { text: &text, arguments: &arguments, ..Given::default() };
        let faults = load_given(&given).err();
        prop_assert!(faults.is_none_or(|faults| !faults.list().is_empty()));
    }
}
