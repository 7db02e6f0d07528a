package spindle.yarn;

/**
 * Exit codes of the processes in YARN containers, the same numbers as in the Rust program's exit.rs: they are
 * what the ResourceManager shows for an attempt that ended before it could say more.
 */
final class ExitCode {
    static final int OK = 0;
    /** The driver ended without a finish: the next attempt goes on. */
    static final int DRIVER_ENDED = 14;
    /** The driver does not answer, or does not read. */
    static final int DRIVER_SILENT = 15;
    /** A line that is not of the protocol. */
    static final int BROKEN_PROTOCOL = 16;
    /** The ResourceManager turned the attempt away. */
    static final int RM_REFUSED = 17;
    /** The program is missing, or is not the one that was submitted. */
    static final int WRONG_BINARY = 18;
    /** The shim's own settings or files cannot be used. */
    static final int BAD_SETTINGS = 19;

    private ExitCode() {}
}
