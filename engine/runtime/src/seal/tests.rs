use super::*;

fn context(tenant: u64, user: u8, field: Field, revision: u64) -> SealContext {
    SealContext {
        tenant: TenantId(tenant),
        user: UserId::from_bytes([user; 16]),
        field,
        revision,
    }
}

#[test]
fn a_seal_opens_in_its_own_place_alone() {
    let key = Key::new([1; 32]);
    let ours = context(1, 1, Field::Record, 5);
    let mut text = b"secret".to_vec();
    seal(&key, &[2; 24], &ours.aad(), &mut text).unwrap();
    let opens = |key: &Key, place: SealContext| {
        let opened = open(key, &[2; 24], &place.aad(), &text);
        opened.ok().map(|opened| opened.to_vec())
    };
    assert_eq!(opens(&key, ours).as_deref(), Some(&b"secret"[..]));
    for other in [
        context(2, 1, Field::Record, 5),
        context(1, 2, Field::Record, 5),
        context(1, 1, Field::Part(PartKind::IdentifierText), 5),
        context(1, 1, Field::Part(PartKind::Audits), 5),
        context(1, 1, Field::Record, 4),
    ] {
        assert_eq!(opens(&key, other), None);
    }
    assert_eq!(opens(&Key::new([9; 32]), ours), None);
}

#[test]
fn a_wrapped_key_unwraps_under_its_master_and_for_its_tenant_alone() {
    let master = LocalMaster::new(Key::new([1; 32]));
    let place = context(1, 0, Field::TenantKey, 0);
    let wrapped = master.wrap(&place, [3; 24], &Key::new([7; 32])).unwrap();
    let key = master.unwrap(&place, &wrapped).unwrap();
    assert!(key.matches(&Key::new([7; 32])));
    let elsewhere = context(2, 0, Field::TenantKey, 0);
    assert!(master.unwrap(&elsewhere, &wrapped).is_err());
    let other = LocalMaster::new(Key::new([2; 32]));
    assert!(other.unwrap(&place, &wrapped).is_err());
}
