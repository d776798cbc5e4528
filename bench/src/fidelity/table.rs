//! The table.

use super::point::Point;

pub(super) fn print(points: &[Point]) {
    say!(
        "{:10} {:>8}  {:16} {:>9} {:>20} {:>9} {:>7}",
        "mix",
        "per s",
        "figure",
        "measured",
        "(least to most)",
        "predicted",
        "apart"
    );
    let (mut met, mut all) = (0, 0);
    for point in points {
        for held in &point.held {
            let measured = held.measured;
            let apart = (held.predicted / measured.median.max(1e-9) - 1.0) * 100.0;
            say!(
                "{:10} {:8}  {:16} {:9.2} {:>20} {:9.2} {:+6.0}%{}",
                point.mix,
                point.per_s,
                held.figure,
                measured.median,
                format!("({:.2} to {:.2})", measured.least, measured.most),
                held.predicted,
                apart,
                if held.met { "" } else { "  missed" },
            );
            met += usize::from(held.met);
            all += 1;
        }
        let same = point.bottleneck_measured == point.bottleneck_predicted;
        say!(
            "{:10} {:8}  {:16} {:>9} {:>20} {:>9}        {}",
            point.mix,
            point.per_s,
            "gives out first",
            format!("{:?}", point.bottleneck_measured).to_lowercase(),
            "",
            format!("{:?}", point.bottleneck_predicted).to_lowercase(),
            if same { "" } else { "  missed" },
        );
        met += usize::from(same);
        all += 1;
    }
    say!("{met} of {all} met");
}
