//! Settings of a broker, changed while it runs. Requests go by hand.
//!
//! It owns: one setting of the first broker. It does not own: which ones a broker takes so.

use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{
    ApiKey, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::{Decodable, StrBytes};

use super::Kafka;

const VERSION: i16 = 1;
const BROKER: i8 = 4;
const SET: i8 = 0;

impl Kafka {
    /// Sets it for the first broker; it holds a moment later.
    pub fn set_of_broker(&self, setting: &'static str, value: &str) {
        let config = AlterableConfig::default()
            .with_name(StrBytes::from_static_str(setting))
            .with_config_operation(SET)
            .with_value(Some(StrBytes::from_string(value.to_owned())));
        let resource = AlterConfigsResource::default()
            .with_resource_type(BROKER)
            .with_resource_name(StrBytes::from_static_str("1"))
            .with_configs(vec![config]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        let mut answer = self.ask(ApiKey::IncrementalAlterConfigs, VERSION, &request);
        let answer = IncrementalAlterConfigsResponse::decode(&mut answer, VERSION).unwrap();
        assert!(answer.responses.iter().all(|one| one.error_code == 0), "{answer:?}");
    }
}
