package spindle.yarn;

/** Why a submission came to nothing: one line that says what, on what, why, and what to do. */
final class Refused extends Exception {
    private static final long serialVersionUID = 1;
    /** Whether what was asked for is at fault, not its execution. */
    final boolean usage;

    Refused(boolean usage, String message) {
        super(message);
        this.usage = usage;
    }
}
