package spindle.yarn;

/**
 * Whether this machine can run a file, by its first bytes. Java would have a shell run whatever the kernel refuses, an
 * error page for example.
 */
final class Executable {
    // ELF, "System V ABI", chapter 4: offsets in the header, and the machines that servers have.
    private static final int ELF_MACHINE = 18;
    private static final int X86_64 = 62;
    private static final int AARCH64 = 183;

    private Executable() {}

    /** Why it cannot be run on {@code arch} (Java's os.arch), with the remedy; null when it can. */
    static String fault(byte[] head, String arch) {
        if (begins(head, '#', '!')) {
            return null; // a script that calls the program
        }
        if (!begins(head, 0x7f, 'E', 'L', 'F') || head.length < ELF_MACHINE + 2) {
            return "it is no program: put Spindle's binary there";
        }
        int machine = head[ELF_MACHINE] & 0xff | (head[ELF_MACHINE + 1] & 0xff) << 8;
        int here = arch.equals("amd64") ? X86_64 : arch.equals("aarch64") ? AARCH64 : machine;
        return machine == here ? null
                : "it is for another processor (" + name(machine) + ", here it is " + arch + "): take the one for this";
    }

    private static String name(int machine) {
        return machine == X86_64 ? "x86-64" : machine == AARCH64 ? "aarch64" : "ELF machine " + machine;
    }

    private static boolean begins(byte[] head, int... with) {
        for (int i = 0; i < with.length; i++) {
            if (i >= head.length || head[i] != with[i]) {
                return false;
            }
        }
        return true;
    }
}
