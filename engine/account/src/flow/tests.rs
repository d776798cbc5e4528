use super::*;
use crate::assurance::{Proof, Shown};
use crate::table::assert_table;
use std::fmt::Write;
use std::string::String;

#[test]
fn the_table_of_flows_is_as_written_down() {
    let mut proven = Proofs::default();
    let shown = Shown::EmailCode;
    proven.add(Proof { shown, at_ms: 1 }).unwrap();
    let orders = [
        FlowPolicy::default(),
        FlowPolicy {
            methods: [Method::Password, Method::EmailCode].into(),
            ..FlowPolicy::default()
        },
    ];
    let mut table = String::new();
    for policy in &orders {
        writeln!(table, "methods {:?}", policy.methods).unwrap();
        for purpose in Purpose::ALL {
            for kind in [IdentifierKind::Email, IdentifierKind::Username] {
                for reach in [Reach::Mail, Reach::Nothing] {
                    let [first, then] = [&Proofs::default(), &proven]
                        .map(|proofs| policy.stage(purpose, kind, reach, proofs));
                    let sends = match policy.sends_at_once(purpose, kind, reach) {
                        true => ", sent at once",
                        false => "",
                    };
                    let case = std::format!("{purpose:?} by {kind:?}, {reach:?}");
                    writeln!(table, "  {case}: {first:?}{sends}; then {then:?}").unwrap();
                }
            }
        }
    }
    assert_table("flow", &table);
}

#[test]
fn there_is_a_way_on_from_every_stage() {
    // A purpose that a gateway may begin ends: what follows a proof asks for nothing
    // that the purpose does not have.
    let policy = FlowPolicy::default();
    let mut proven = Proofs::default();
    let shown = Shown::EmailCode;
    proven.add(Proof { shown, at_ms: 1 }).unwrap();
    for purpose in [Purpose::SignIn, Purpose::SignUp, Purpose::Recover] {
        let stage = |proofs| policy.stage(purpose, IdentifierKind::Email, Reach::Mail, proofs);
        let nothing = Proofs::default();
        let first = stage(&nothing);
        assert!(
            matches!(&first, Stage::Prove(offered) if !offered.is_empty()),
            "{purpose:?} {first:?}"
        );
        let last = stage(&proven);
        assert!(!matches!(last, Stage::Prove(_)), "{purpose:?} {last:?}");
    }
}
