//! The `sluice` program: hands the command line to the library and ends with its exit code.

#[global_allocator]
static ALLOCATOR: sluice::kafka::ffi::LargeBlocks = sluice::kafka::ffi::LargeBlocks;

fn main() -> std::process::ExitCode {
    sluice::command::main()
}
