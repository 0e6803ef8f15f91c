//! The least policy for MSK: with it a daemon has all it needs; with any action less `check` names
//! that action. The policy itself is in the README.
//!
//! A cluster of ours knows no policies: each action is the access control that it equals, as
//! Amazon's "Semantics of IAM authorization policy actions and resources" says.

use super::msk_iam::{REFUSED, SECRET, of, profile};
use super::support::kafka::rights::{Acl, Operation, ResourceType};
use super::{Scene, cluster, unique};

const CONNECT: &str = "kafka-cluster:Connect";

/// An action with the resource that it is allowed on.
struct Action {
    name: String,
    /// The last part of its ARN.
    resource: String,
}

impl Action {
    /// None for `Connect`, which is the login itself.
    fn acl(&self, is_allowed: bool) -> Option<Acl> {
        let (resource_type, operation) = match self.name.as_str() {
            CONNECT => return None,
            "kafka-cluster:DescribeTopic" => (ResourceType::Topic, Operation::Describe),
            "kafka-cluster:ReadData" => (ResourceType::Topic, Operation::Read),
            "kafka-cluster:DescribeGroup" => (ResourceType::Group, Operation::Describe),
            "kafka-cluster:AlterGroup" => (ResourceType::Group, Operation::Read),
            other => panic!("{other} equals no access control that is known here"),
        };
        Some(Acl { resource_type, name: self.resource.clone(), operation, is_allowed })
    }
}

/// What the README allows.
fn policy() -> Vec<Action> {
    let readme = include_str!("../../README.md");
    let section = readme.split("### The least policy for MSK").nth(1).unwrap();
    let policy = section.split("```json").nth(1).unwrap().split("```").next().unwrap();
    let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|statement| {
        let resource = statement["Resource"].as_str().unwrap().rsplit('/').next().unwrap();
        let names = statement["Action"].as_array().unwrap().iter();
        names.map(|name| Action {
            name: name.as_str().unwrap().to_owned(),
            resource: resource.to_owned(),
        })
    });
    actions.collect()
}

/// A user of its own with the rights of the policy, but for one action. Whatever has no rights of
/// its own in this cluster is everybody's, so the cluster itself is denied.
fn scene_without(taken: &str) -> Scene {
    let topic = unique("12ab34.policy");
    let scene = of(Scene::named("MSK", &topic, "sluice").in_tls());
    let id = unique("AKIAPOLICY");
    profile(&scene, &id, SECRET);
    if taken != CONNECT {
        scene.cluster.msk_knows(&format!("{id} {SECRET}"));
    }
    let mut acls: Vec<Acl> = policy().iter().filter_map(|action| action.acl(true)).collect();
    let denied = policy().into_iter().filter(|action| action.name == taken);
    acls.extend(denied.filter_map(|action| action.acl(false)));
    acls.push(Acl {
        resource_type: ResourceType::Cluster,
        name: "kafka-cluster".to_owned(),
        operation: Operation::All,
        is_allowed: false,
    });
    scene.cluster.kafka.grant(&id, &acls);
    scene
}

/// All others keep what the cluster gives everybody, now that it has rights of its own.
fn leave_the_others_alone() {
    let all = Acl {
        resource_type: ResourceType::Cluster,
        name: "kafka-cluster".to_owned(),
        operation: Operation::All,
        is_allowed: true,
    };
    cluster().kafka.grant("*", &[all]);
}

#[test]
fn each_action_of_the_msk_policy_is_named_when_it_is_taken_away() {
    leave_the_others_alone();
    for action in policy() {
        let scene = scene_without(&action.name);
        let (lines, code) = scene.checked();
        let failed: Vec<_> = lines.lines().filter(|line| line.starts_with("FAIL")).collect();
        assert_eq!(code, 1, "without {}:\n{lines}", action.name);
        assert!(!failed.is_empty(), "without {}:\n{lines}", action.name);
        for line in failed {
            let advice = if action.name == CONNECT { REFUSED } else { &action.name };
            assert!(line.contains(advice), "without {}: {line}", action.name);
        }
    }
}

#[test]
fn the_msk_policy_is_enough_for_a_daemon_and_for_check() {
    leave_the_others_alone();
    let scene = scene_without("nothing");
    let (lines, code) = scene.checked();
    assert_eq!(code, 0, "{lines}");
    assert!(!lines.lines().any(|line| line.starts_with("FAIL")), "{lines}");
    let daemon = scene.settings.start();
    scene.works(&daemon);
    scene.works(&daemon);
    scene.ends(daemon);
    // Nothing but these was granted: without each of them `check` fails.
    let actions: Vec<_> = policy().into_iter().map(|action| action.name).collect();
    assert_eq!(actions.len(), 5, "{actions:?}");
}
