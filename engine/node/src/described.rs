//! What every metric means, as the page says it; docs/metrics.md says the same,
//! and a test compares.

use metrics::{describe_counter, describe_gauge};

enum Kind {
    Counter,
    Gauge,
}

const MEANINGS: &[(&str, Kind, &str)] = &[
    (
        "tidegate_requests_total",
        Kind::Counter,
        "requests that passed rights, rate and the limit of frames in flight",
    ),
    (
        "tidegate_requests_malformed_total",
        Kind::Counter,
        "frames that could not be read",
    ),
    (
        "tidegate_requests_not_permitted_total",
        Kind::Counter,
        "requests beyond a gateway's rights",
    ),
    (
        "tidegate_requests_rate_limited_total",
        Kind::Counter,
        "requests over a gateway's rate",
    ),
    (
        "tidegate_requests_panicked_total",
        Kind::Counter,
        "panics caught while a frame was answered",
    ),
    (
        "tidegate_refused_total",
        Kind::Counter,
        "requests refused as busy, by the limit that was full",
    ),
    ("tidegate_waiting", Kind::Gauge, "what waits now"),
    (
        "tidegate_connections",
        Kind::Gauge,
        "connections, from their first packet on",
    ),
    (
        "tidegate_connections_refused_total",
        Kind::Counter,
        "connections refused, failed in the handshake, or not admitted",
    ),
    (
        "tidegate_checks_warm_total",
        Kind::Counter,
        "checks answered from memory",
    ),
    (
        "tidegate_checks_cold_total",
        Kind::Counter,
        "checks that went to an actor",
    ),
    (
        "tidegate_loads_total",
        Kind::Counter,
        "people read from the store",
    ),
    (
        "tidegate_commits_total",
        Kind::Counter,
        "commits of people that became durable",
    ),
    (
        "tidegate_commits_failed_total",
        Kind::Counter,
        "commits of people that failed, or whose outcome was not known at first",
    ),
    (
        "tidegate_write_behind_total",
        Kind::Counter,
        "people whose times of use were brought up to date",
    ),
    (
        "tidegate_sources_held_total",
        Kind::Counter,
        "attempts refused because their source had used up its bound",
    ),
    (
        "tidegate_people_warm",
        Kind::Gauge,
        "warm people; set every 10 s",
    ),
    (
        "tidegate_people_hot",
        Kind::Gauge,
        "hot people; set every 10 s",
    ),
    (
        "tidegate_people_broken_total",
        Kind::Counter,
        "people whose actor panicked; each is refused until the node starts again",
    ),
    (
        "tidegate_sweeps_total",
        Kind::Counter,
        "walks of the sweeper through the whole store",
    ),
    (
        "tidegate_sweeps_held_total",
        Kind::Counter,
        "walks left out because the date had jumped",
    ),
    (
        "tidegate_swept_people_total",
        Kind::Counter,
        "people from whom the sweeper dropped something, or who went",
    ),
    (
        "tidegate_swept_rows_total",
        Kind::Counter,
        "rows of sources, events and audits that the sweeper dropped",
    ),
    (
        "tidegate_rotation_slots_left",
        Kind::Gauge,
        "slots that a rotation of keys has still to walk; 0 when there is none",
    ),
    (
        "tidegate_certificate_expiry_seconds",
        Kind::Gauge,
        "until the node's certificate expires; negative afterwards",
    ),
    (
        "tidegate_store_cut_off",
        Kind::Gauge,
        "1 while the store is out of reach and answers are degraded",
    ),
    (
        "tidegate_degraded_total",
        Kind::Counter,
        "answers given while the store is out of reach",
    ),
    (
        "tidegate_degraded_people",
        Kind::Gauge,
        "people with decisions of degraded mode that their accounts have not adopted",
    ),
    (
        "tidegate_directory_away",
        Kind::Gauge,
        "1 while the directory of regions does not answer; looked at every five seconds",
    ),
    (
        "tidegate_directory_pending",
        Kind::Gauge,
        "identifiers that this node looks after of which the directory was not told yet",
    ),
    (
        "tidegate_settled_people_total",
        Kind::Counter,
        "accounts that have taken over what was decided while the store was out of reach",
    ),
    (
        "tidegate_store_failed",
        Kind::Gauge,
        "1 when the store takes no changes any more until the node starts again",
    ),
    (
        "tidegate_build_info",
        Kind::Gauge,
        "always 1; which program this is",
    ),
    (
        "tidegate_cluster_slots",
        Kind::Gauge,
        "slots that the node holds (in a cluster)",
    ),
    (
        "tidegate_cluster_member",
        Kind::Gauge,
        "1 while the node has a row of its own among the nodes, 0 before it joined and after it was expelled",
    ),
    (
        "tidegate_cluster_lease_age_seconds",
        Kind::Gauge,
        "how long ago the slots were known to be the node's; answers from memory end at 0.8 of the lease",
    ),
    (
        "tidegate_foundationdb_commits_total",
        Kind::Counter,
        "commits that FoundationDB acknowledged",
    ),
    (
        "tidegate_foundationdb_read_versions_total",
        Kind::Counter,
        "read versions that commits asked for",
    ),
    (
        "tidegate_foundationdb_settled_total",
        Kind::Counter,
        "commits whose outcome had to be found out",
    ),
];

/// Tells the page what its metrics mean; once, when the recorder is set. What is
/// never measured is not shown.
pub(crate) fn describe() {
    for (name, kind, meaning) in MEANINGS {
        match kind {
            Kind::Counter => describe_counter!(*name, *meaning),
            Kind::Gauge => describe_gauge!(*name, *meaning),
        }
    }
}
