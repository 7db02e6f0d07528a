package spindle.yarn;

/** Input that is not what it should be; the message is one line: what, where, what was expected. */
final class Malformed extends Exception {
    private static final long serialVersionUID = 1;

    Malformed(String message) {
        super(message);
    }

    static void unless(boolean ok, String message) throws Malformed {
        if (!ok) {
            throw new Malformed(message);
        }
    }
}
