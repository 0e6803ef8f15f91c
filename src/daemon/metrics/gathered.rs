//! Families of gauges put together at the moment of a scrape.
//!
//! It owns: the way from a plain number with labels to what the registry takes.
//! It does not own: the numbers.

use std::collections::HashMap;

use prometheus::core::Desc;
use prometheus::proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// Name, help and labels of a family of gauges.
#[derive(Debug)]
pub(super) struct Family {
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    description: Desc,
}

impl Family {
    pub(super) fn new(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Result<Self, prometheus::Error> {
        let names = labels.iter().map(|label| (*label).to_owned()).collect();
        let description = Desc::new(name.to_owned(), help.to_owned(), names, HashMap::new())?;
        Ok(Self { name, help, labels, description })
    }

    pub(super) fn description(&self) -> &Desc {
        &self.description
    }

    /// Returns one gauge; `values` stand in the order of the family's labels.
    pub(super) fn gauge(&self, values: &[&str], number: f64) -> Metric {
        debug_assert_eq!(values.len(), self.labels.len(), "{}", self.name);
        let mut gauge = Gauge::default();
        gauge.set_value(number);
        let mut metric = Metric::from_gauge(gauge);
        let pairs = self.labels.iter().zip(values).map(|(label, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*label).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        metric.set_label(pairs.collect());
        metric
    }

    pub(super) fn with(&self, metrics: Vec<Metric>) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(MetricType::GAUGE);
        family.set_metric(metrics);
        family
    }
}
