//! Bombs: files that unpack to more than the default limits allow, and files that contain themselves.

use trips_containers::Limit;

use super::{Fault, Files};
use crate::containers::zip::{Entry, Zip};
use crate::containers::{pack, quine};

/// Bytes of a bomb. Those of DEFLATE are larger: it has a ratio of at most 1,032.
const BOMB: usize = 4 << 20;
const DEFLATE_BOMB: usize = 32 << 20;

pub(super) fn add(files: &mut Files<'_>) {
    bombs(files);
    levels(files);
    files.fault("quine.gz", quine::gzip(), Fault::Limit(Limit::Depth));
    files.fault("quine.zip", quine::zip(), Fault::Limit(Limit::Depth));
    let inside = Zip::new(&[Entry::new("a.csv", files.content), Entry::new("b.zip", quine::zip())]);
    files.fault("quine-inside.zip", inside.bytes, Fault::Limit(Limit::Depth));
    let members: Vec<Entry> =
        (0..10_001).map(|number| Entry::new(format!("{number}.csv"), "a\n")).collect();
    files.fault("members.zip", Zip::new(&members).bytes, Fault::Limit(Limit::Members));
    // 10,000 members, 2 of which are archives.
    let mut members: Vec<Entry> = members.into_iter().take(9_998).collect();
    members.extend(
        ["c.zip", "d.zip"]
            .map(|name| Entry::new(name, Zip::new(&[Entry::new("e.csv", "a\n")]).bytes)),
    );
    files.fault("members-inside.zip", Zip::new(&members).bytes, Fault::Limit(Limit::Members));
}

/// A header and then one long line of zeros.
fn bombs(files: &mut Files<'_>) {
    let zeros = [files.header(), &vec![b'0'; DEFLATE_BOMB]].concat();
    let ratio = Fault::Limit(Limit::Ratio);
    for (format, make) in pack::STREAMS {
        let bomb = if format == "gz" { &zeros } else { &zeros[..BOMB] };
        let packed = make(bomb);
        let inside = Zip::new(&[Entry::new(format!("a.csv.{format}"), &packed)]);
        files.fault(format!("bomb-{format}-inside.zip"), inside.bytes, ratio);
        files.fault(format!("bomb.csv.{format}"), packed, ratio);
    }
    for method in [8, 12, 93, 95] {
        let bomb = if method == 8 { &zeros } else { &zeros[..BOMB] };
        let members = [Entry::new("a.csv", bomb).method(method)];
        files.fault(format!("bomb-method-{method}.zip"), Zip::new(&members).bytes, ratio);
    }
    let inner = Zip::new(&[Entry::new("a.csv", &zeros)]);
    let outer = Zip::new(&[Entry::new("inner.zip", inner.bytes)]);
    files.fault("bomb-inner.zip", outer.bytes, ratio);
    // Trips come before the bomb: a load has read them when it ends.
    let trips_and_bomb = [files.content, &vec![b'0'; files.content.len() * 600]].concat();
    files.fault("bomb-after-trips.csv.zst", pack::zstd(&trips_and_bomb), ratio);
}

fn levels(files: &mut Files<'_>) {
    let depth = Fault::Limit(Limit::Depth);
    let one = Zip::new(&[Entry::new("a.csv", files.content)]).bytes;
    let two = Zip::new(&[Entry::new("1.zip", one)]).bytes;
    files.fault("three-levels.zip", Zip::new(&[Entry::new("2.zip", &two)]).bytes, depth);
    files.fault(
        "three-levels-stored.zip",
        Zip::new(&[Entry::new("2.zip", two).method(0)]).bytes,
        depth,
    );
    for (format, make) in pack::STREAMS {
        let two = make(&make(files.content));
        files.fault(format!("three-levels.csv.{format}"), make(&two), depth);
        files.fault(
            format!("three-levels-{format}.zip"),
            Zip::new(&[Entry::new("a.csv", two)]).bytes,
            depth,
        );
    }
}
