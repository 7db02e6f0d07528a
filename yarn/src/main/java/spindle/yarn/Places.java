package spindle.yarn;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Where the program may be, seen from the jar. */
final class Places {
    static final String UID = "unix:uid";
    private static final Object ROOT = 0;

    private Places() {}

    /**
     * The places in their order. {@code jar} is the path that was called, {@code real} where its links lead: YARN puts
     * links to files in a container's folder, so there the program is beside the link.
     */
    static List<Path> beside(Path jar, Path real) {
        Set<Path> places = new LinkedHashSet<>();
        places.add(jar.resolveSibling("spindle"));
        places.add(real.resolveSibling("spindle"));
        add(places, above(real, 2), "bin/spindle"); // a package: lib/ and bin/
        add(places, above(real, 3), "target/release/spindle"); // a checkout: yarn/target/
        return new ArrayList<>(places);
    }

    private static void add(Set<Path> places, Path folder, String file) {
        if (folder != null) {
            places.add(folder.resolve(file));
        }
    }

    private static Path above(Path path, int up) {
        Path at = path;
        for (int i = 0; i < up && at != null; i++) {
            at = at.getParent();
        }
        return at;
    }

    /** What is found beside a jar must be its owner's, root's or of user {@code me}: others could have planted it. */
    static void check(Path found, Path jar, Object me) throws IOException, Refused {
        for (LinkOption[] links : new LinkOption[][] {{LinkOption.NOFOLLOW_LINKS}, {}}) {
            Object owner = Files.getAttribute(found, UID, links);
            if (!owner.equals(ROOT) && !owner.equals(me) && !owner.equals(Files.getAttribute(jar, UID))) {
                throw new Refused(true, found + " belongs to user " + Files.getOwner(found, links).getName()
                        + ", who is neither you nor root nor the owner of this jar: remove it, or say where the program"
                        + " is: --binary FILE");
            }
        }
    }

    /** This user's numeric id. */
    static Object me() throws IOException {
        return Files.getAttribute(Paths.get("/proc/self"), UID);
    }
}
