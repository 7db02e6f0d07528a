package spindle.yarn;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** What the driver wants to run: complete, so that the newest one alone says all. */
final class Target {
    private static final int SLOTS_MAX = 10_000;
    private static final int MAX = Integer.MAX_VALUE;

    /** One executor: its place in the driver's numbering and the generation that fences it. */
    static final class Slot {
        final int slot;
        final long gen;
        final int memory_mb;
        final int cores;
        final List<String> argv;
        /** Hosts where it should not be if others have room. */
        final Set<String> avoid;

        Slot(int slot, long gen, int memory_mb, int cores, List<String> argv, Set<String> avoid) {
            this.slot = slot;
            this.gen = gen;
            this.memory_mb = memory_mb;
            this.cores = cores;
            this.argv = argv;
            this.avoid = avoid;
        }
    }

    final long rev;
    final List<Slot> slots;
    /** Hosts where nothing may be started. */
    final Set<String> exclude;
    /** The node label of the containers, null for the queue's own. */
    final String label;

    Target(long rev, List<Slot> slots, Set<String> exclude, String label) {
        this.rev = rev;
        this.slots = slots;
        this.exclude = exclude;
        this.label = label;
    }

    static Target from(Fields message) throws Malformed {
        List<Slot> slots = new ArrayList<>();
        Set<Integer> numbers = new HashSet<>();
        for (Fields slot : message.objects("slots")) {
            Slot wanted = slot(slot);
            if (!numbers.add(wanted.slot)) {
                throw new Malformed("target names slot " + wanted.slot + " twice");
            }
            slots.add(wanted);
        }
        if (slots.size() > SLOTS_MAX) {
            throw new Malformed("target has " + slots.size() + " slots, " + SLOTS_MAX + " at most");
        }
        String label = message.text("label", "");
        Set<String> exclude = new LinkedHashSet<>(message.texts("exclude"));
        return new Target(message.number("rev", 0, Long.MAX_VALUE), slots, exclude, label.isEmpty() ? null : label);
    }

    private static Slot slot(Fields slot) throws Malformed {
        List<String> argv = slot.texts("argv");
        if (argv.isEmpty() || !argv.get(0).equals("./spindle")) {
            throw new Malformed("the argv of a slot does not begin with ./spindle");
        }
        for (String argument : argv) {
            if (argument.indexOf('\0') >= 0) {
                throw new Malformed("an argument of a slot contains a NUL character");
            }
        }
        return new Slot(slot.integer("slot", 0, MAX), slot.number("gen", 0, Long.MAX_VALUE),
                slot.integer("memory_mb", 1, MAX), slot.integer("cores", 1, MAX), argv,
                new LinkedHashSet<>(slot.texts("avoid")));
    }
}
