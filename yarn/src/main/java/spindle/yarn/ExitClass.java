package spindle.yarn;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * Why a container ended, in the words that the driver decides by: what counts against a budget and what does not.
 * The numbers are Hadoop's ContainerExitStatus; 3.x has added to them, so those not known here are the node's doing.
 */
enum ExitClass {
    /** We asked for it: the application master by -105, or because the application is over. */
    STOPPED(-105, -107),
    /** Its process was ended by a signal. */
    KILLED(128 + 9, 128 + 15),
    /** It could not be started. */
    LAUNCH(ExitClass.NOT_LAUNCHED),
    PREEMPTED(-102),
    /** It used more memory than it asked for, virtual or physical. */
    MEMORY(-103, -104),
    /** The disks of its node failed. */
    DISK(-101),
    /** Its node was lost, released or restarted: every other number below zero. */
    NODE,
    /** Its process ended by itself, with whatever other code. */
    FAILED;

    /** What a launch that never reached the process reports; ContainerExitStatus.INVALID. */
    static final int NOT_LAUNCHED = -1000;

    private final List<Integer> statuses;

    ExitClass(Integer... statuses) {
        this.statuses = Arrays.asList(statuses);
    }

    static ExitClass of(int status) {
        ExitClass other = status < 0 ? NODE : FAILED;
        return Arrays.stream(values()).filter(each -> each.statuses.contains(status)).findFirst().orElse(other);
    }

    /** The name on the wire. */
    String wire() {
        return name().toLowerCase(Locale.ROOT);
    }
}
