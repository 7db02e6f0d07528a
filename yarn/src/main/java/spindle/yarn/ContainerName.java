package spindle.yarn;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the id of a container says: its application and attempt. It is the only place in a container's environment
 * that says the attempt.
 */
final class ContainerName {
    private static final Pattern FORM = Pattern.compile("container_(?:e\\d+_)?(\\d+)_(\\d+)_(\\d+)_\\d+");

    final String application;
    final int attempt;

    private ContainerName(String application, int attempt) {
        this.application = application;
        this.attempt = attempt;
    }

    static ContainerName parse(String id) throws Malformed {
        Matcher match = FORM.matcher(id);
        if (!match.matches()) {
            throw new Malformed("CONTAINER_ID is \"" + id + "\", which is no container's id: run this on YARN");
        }
        return new ContainerName("application_" + match.group(1) + "_" + match.group(2),
                Integer.parseInt(match.group(3)));
    }
}
