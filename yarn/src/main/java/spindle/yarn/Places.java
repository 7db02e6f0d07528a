package spindle.yarn;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Where the program may be, seen from the jar. */
final class Places {
    private Places() {}

    /**
     * The places in their order. {@code jar} is the path that was called, {@code real} where its links lead: YARN puts
     * links to files in a container's folder, so there the program is beside the link.
     */
    static List<Path> beside(Path jar, Path real) {
        Set<Path> places = new LinkedHashSet<>();
        places.add(jar.resolveSibling("spindle"));
        places.add(real.resolveSibling("spindle"));
        places.add(real.resolveSibling("../bin/spindle").normalize()); // a package: lib/ and bin/
        places.add(real.resolveSibling("../../target/release/spindle").normalize()); // a checkout: yarn/target/
        return new ArrayList<>(places);
    }
}
