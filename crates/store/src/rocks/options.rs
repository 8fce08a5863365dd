//! How the databases of a node share memory, files and disk bandwidth.

use eunoe_types::Fault;
use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, LogLevel, Options, WriteBufferManager};
use rustix::process::{Resource, getrlimit};

/// Limits for all groups of a node together, unless it says "of one".
#[derive(Clone, Debug)]
pub struct RocksOptions {
    /// Bytes of the block cache; index and filter blocks are in it too.
    pub cache_bytes: usize,
    /// Bytes of all memtables; beyond, the largest is flushed.
    pub memtables_bytes: usize,
    /// Bytes of one memtable of one group.
    pub memtable_bytes: usize,
    /// Bytes per second that flushes and compactions may write.
    pub background_bytes_per_second: i64,
    /// Threads for flushes and compactions.
    pub background_threads: i32,
    /// Groups that this node hosts, among which open files are shared. More groups may be opened; each then
    /// has the same number of files.
    pub groups: u32,
    /// Open files; `None` takes half of what the process may open, at most 10,000.
    pub open_files_max: Option<u32>,
}

impl Default for RocksOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 256 << 20,
            memtables_bytes: 128 << 20,
            memtable_bytes: 32 << 20,
            background_bytes_per_second: 256 << 20,
            background_threads: 2,
            groups: 5,
            open_files_max: None,
        }
    }
}

const OPEN_FILES_PER_GROUP_MIN: u32 = 64;
const RATE_LIMITER_REFILL_US: i64 = 100_000;
const RATE_LIMITER_FAIRNESS: i32 = 10;

impl RocksOptions {
    /// The options that every database of a node is opened with: opening copies references to cache, write
    /// buffer manager, rate limiter and threads, so that one value must serve all.
    pub(super) fn build(&self) -> Result<Options, Fault> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_paranoid_checks(true);
        self.bound_memory(&mut options);
        self.bound_files(&mut options)?;
        self.shape_tree(&mut options);
        Ok(options)
    }

    fn bound_memory(&self, options: &mut Options) {
        // Memtables are charged to the cache's capacity apart: a flood of writes must not evict all blocks.
        let allow_stall = false;
        let manager = WriteBufferManager::new_write_buffer_manager(self.memtables_bytes, allow_stall);
        options.set_write_buffer_manager(&manager);
        options.set_write_buffer_size(self.memtable_bytes);
        options.set_max_write_buffer_number(4);
        // Most lookups of a request id find nothing: the filter answers them before the skip list is searched.
        options.set_memtable_prefix_bloom_ratio(0.02);
        options.set_memtable_whole_key_filtering(true);
    }

    fn bound_files(&self, options: &mut Options) -> Result<(), Fault> {
        let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) / 2;
        let total = self.open_files_max.unwrap_or(allowed.min(10_000) as u32);
        let of_one = (total / self.groups.max(1)).max(OPEN_FILES_PER_GROUP_MIN);
        let of_one = i32::try_from(of_one).map_err(|_| Fault::broken("open_files_max is too large"))?;
        options.set_max_open_files(of_one);
        // RocksDB's own text log: warnings only, two files of 1 MiB.
        options.set_log_level(LogLevel::Warn);
        options.set_max_log_file_size(1 << 20);
        options.set_keep_log_file_num(2);
        options.set_stats_dump_period_sec(0);
        options.set_stats_persist_period_sec(0);
        options.set_max_manifest_file_size(16 << 20);
        Ok(())
    }

    fn shape_tree(&self, options: &mut Options) {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&Cache::new_lru_cache(self.cache_bytes));
        table.set_cache_index_and_filter_blocks(true);
        table.set_cache_index_and_filter_blocks_with_high_priority(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        table.set_bloom_filter(10.0, false);
        table.set_optimize_filters_for_memory(true);
        table.set_format_version(6);
        // A page of fifty small messages is a few blocks; keys share long prefixes, which blocks store once.
        table.set_block_size(8 << 10);
        options.set_block_based_table_factory(&table);
        options.set_compression_type(DBCompressionType::None);
        options.set_bottommost_compression_type(DBCompressionType::None);
        options.set_level_compaction_dynamic_level_bytes(true);
        options.set_target_file_size_base(32 << 20);
        options.set_max_bytes_for_level_base(128 << 20);
        options.set_max_background_jobs(self.background_threads.max(2));
        options.set_bytes_per_sync(1 << 20);
        options.set_ratelimiter(
            self.background_bytes_per_second.max(1 << 20),
            RATE_LIMITER_REFILL_US,
            RATE_LIMITER_FAIRNESS,
        );
    }
}
