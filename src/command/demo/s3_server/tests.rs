//! The server, asked by the same SDK that the daemon uses.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use tempfile::TempDir;

use super::*;

const KEY: &str = "topics/pin/partition=0/pin+0+0000000000.json";

fn bucket() -> Bucket {
    Bucket::new("sluice-demo").unwrap()
}

fn client(server: &S3Server) -> Client {
    let keys = Credentials::new(server.access_key(), server.secret_key(), None, None, "demo");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(server.endpoint())
        .region(Region::new("us-east-1"))
        .credentials_provider(keys)
        .force_path_style(true)
        .build();
    Client::from_conf(config)
}

async fn started() -> (TempDir, S3Server, Client) {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &bucket()).await.unwrap();
    let client = client(&server);
    (folder, server, client)
}

/// Puts `body` if nothing is there, and returns whether it won; 412 is the only other answer.
async fn put_if_absent(client: Client, body: Vec<u8>) -> bool {
    let put = client.put_object().bucket("sluice-demo").key(KEY).if_none_match("*");
    match put.metadata("batch", "00ab").body(ByteStream::from(body)).send().await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.raw_response().map(|answer| answer.status().as_u16()), Some(412));
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_conditional_puts_one_wins() {
    let (folder, server, client) = started().await;
    // Larger than what sockets buffer: a refusal must reach a client that still sends.
    let puts: Vec<_> = (0..64_u8)
        .map(|writer| tokio::spawn(put_if_absent(client.clone(), vec![writer; 1 << 20])))
        .collect();
    let mut winners = Vec::new();
    for (writer, put) in (0..).zip(puts) {
        if put.await.unwrap() {
            winners.push(writer);
        }
    }
    let [winner] = winners[..] else { panic!("{winners:?}") };
    let file = std::fs::read(folder.path().join("sluice-demo").join(KEY)).unwrap();
    assert_eq!(file, vec![winner; 1 << 20]);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_8_conditional_completes_one_wins_and_the_file_is_whole() {
    let (folder, server, client) = started().await;
    let mut completes = Vec::new();
    for writer in 0..8_u8 {
        let (id, parts) = upload_parts(&client, writer).await;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = client.complete_multipart_upload().bucket("sluice-demo").key(KEY);
        let complete = complete.upload_id(id).multipart_upload(parts).if_none_match("*");
        completes.push(tokio::spawn(complete.send()));
    }
    let mut winners = Vec::new();
    for (writer, complete) in (0_u8..).zip(completes) {
        if complete.await.unwrap().is_ok() {
            winners.push(writer);
        }
    }
    let [winner] = winners[..] else { panic!("{winners:?}") };
    let file = std::fs::read(folder.path().join("sluice-demo").join(KEY)).unwrap();
    assert_eq!(file, vec![winner; (5 << 20) + 7]);
    let head = client.head_object().bucket("sluice-demo").key(KEY).send().await.unwrap();
    let metadata = head.metadata().unwrap();
    assert_eq!(metadata.get("batch"), Some(&winner.to_string()), "the winner's own");
    server.stop().await.unwrap();
}

async fn upload_parts(client: &Client, writer: u8) -> (String, Vec<CompletedPart>) {
    let create = client.create_multipart_upload().bucket("sluice-demo").key(KEY);
    let create = create.metadata("batch", writer.to_string()).send().await.unwrap();
    let id = create.upload_id().unwrap().to_owned();
    let mut parts = Vec::new();
    for (number, bytes) in [(1, 5 << 20), (2, 7)] {
        let part = client.upload_part().bucket("sluice-demo").key(KEY).upload_id(&id);
        let body = ByteStream::from(vec![writer; bytes]);
        let part = part.part_number(number).body(body).send().await.unwrap();
        let done = CompletedPart::builder().part_number(number);
        parts.push(done.set_e_tag(part.e_tag().map(str::to_owned)).build());
    }
    (id, parts)
}

#[tokio::test(flavor = "multi_thread")]
async fn head_gives_back_the_metadata_and_404_for_what_is_not_there() {
    let (_folder, server, client) = started().await;
    let missing = client.head_object().bucket("sluice-demo").key(KEY).send().await.unwrap_err();
    assert_eq!(missing.raw_response().map(|answer| answer.status().as_u16()), Some(404));
    assert!(put_if_absent(client.clone(), b"{}\n".to_vec()).await);
    let head = client.head_object().bucket("sluice-demo").key(KEY).send().await.unwrap();
    assert_eq!(head.metadata().unwrap().get("batch").map(String::as_str), Some("00ab"));
    assert_eq!(head.content_length(), Some(3));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_stop_only_objects_are_left() {
    let (folder, server, client) = started().await;
    assert!(put_if_absent(client.clone(), b"{}\n".to_vec()).await);
    server.stop().await.unwrap();
    let entries: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(entries, ["sluice-demo"]);
    assert!(folder.path().join("sluice-demo").join(KEY).is_file());
}

#[tokio::test]
async fn a_bucket_with_something_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("sluice-demo/topics")).unwrap();
    let error = start(folder.path(), &bucket()).await.unwrap_err();
    assert!(matches!(error, S3ServerError::NotEmpty { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_demo_left_behind_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    drop(start(folder.path(), &bucket()).await.unwrap());
    let server = start(folder.path(), &bucket()).await.unwrap();
    assert!(put_if_absent(client(&server), b"{}\n".to_vec()).await);
    server.stop().await.unwrap();
}
