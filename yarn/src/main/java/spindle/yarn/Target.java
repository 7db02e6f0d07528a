package spindle.yarn;

import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** What the driver wants to run, field by field as it says it: complete, so that the newest one alone says all. */
final class Target {
    private static final int SLOTS_MAX = 10_000;

    /** One executor: its place in the driver's numbering and the generation that fences it. */
    static final class Slot {
        int slot = -1;
        long gen = -1;
        int memory_mb;
        int cores;
        List<String> argv;
        /** Hosts where it should not be if others have room. */
        Set<String> avoid = Collections.emptySet();

        private void check() throws Malformed {
            Malformed.unless(slot >= 0 && gen >= 0 && memory_mb > 0 && cores > 0,
                    "a slot's slot, gen, memory_mb or cores is missing or too small");
            Malformed.unless(!argv.isEmpty() && argv.get(0).equals("./spindle"),
                    "the argv of a slot does not begin with ./spindle");
            for (String argument : argv) {
                Malformed.unless(argument.indexOf('\0') < 0, "an argument of a slot contains a NUL character");
            }
        }
    }

    long rev = -1;
    List<Slot> slots;
    /** Hosts where nothing may be started. */
    Set<String> exclude = Collections.emptySet();
    /** The node label of the containers, empty for the queue's own. */
    String label = "";

    static Target parse(String line) throws Malformed {
        Target target = Json.read(Target.class, line, "target");
        Malformed.unless(target.rev >= 0, "target.rev is missing or below zero");
        Malformed.unless(target.slots.size() <= SLOTS_MAX,
                "target has " + target.slots.size() + " slots, " + SLOTS_MAX + " at most");
        Set<Integer> numbers = new HashSet<>();
        for (Slot slot : target.slots) {
            slot.check();
            Malformed.unless(numbers.add(slot.slot), "target names slot " + slot.slot + " twice");
        }
        return target;
    }
}
