package spindle.yarn;

import java.util.Locale;

/**
 * Why a container ended, in the words that the driver decides by: what counts against a budget and what does not.
 * The numbers are Hadoop's ContainerExitStatus; 3.x has added to them, so those not known here are the node's doing.
 */
enum ExitClass {
    /** We asked for it. */
    STOPPED,
    /** Its process ended by itself, with whatever code. */
    FAILED,
    /** Its process was ended by a signal. */
    KILLED,
    /** It could not be started. */
    LAUNCH,
    /** Its node was lost, released or restarted. */
    NODE,
    PREEMPTED,
    /** It used more memory than it asked for. */
    MEMORY,
    /** The disks of its node failed. */
    DISK;

    /** What a launch that never reached the process reports; ContainerExitStatus.INVALID. */
    static final int NOT_LAUNCHED = -1000;

    static ExitClass of(int status) {
        switch (status) {
            case -101:
                return DISK;
            case -102:
                return PREEMPTED;
            case -103: // virtual
            case -104: // physical
                return MEMORY;
            case -105: // by the application master
            case -107: // after the application's end
                return STOPPED;
            case NOT_LAUNCHED:
                return LAUNCH;
            case 128 + 9:
            case 128 + 15:
                return KILLED;
            default:
                return status < 0 ? NODE : FAILED;
        }
    }

    /** The name on the wire. */
    String wire() {
        return name().toLowerCase(Locale.ROOT);
    }
}
