//! Any counts: a block whose entries add up to its total, or a refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spindle::count::BlockReader;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(block) = BlockReader::check(bytes) {
        let sum: u64 = block.entries().map(|(_, count)| count).sum();
        assert_eq!(sum + block.null_count(), block.total());
    }
});
