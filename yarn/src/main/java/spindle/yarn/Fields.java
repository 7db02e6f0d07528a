package spindle.yarn;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The fields of one JSON object, each of the type it must have; what is not is named with its whole path. */
final class Fields {
    private final Map<?, ?> object;
    private final String path;

    private Fields(Map<?, ?> object, String path) {
        this.object = object;
        this.path = path;
    }

    /** The fields of what should be an object; {@code name} is what errors call it. */
    static Fields parse(String text, String name) throws Malformed {
        Object value;
        try {
            value = Json.parse(text);
        } catch (Malformed e) {
            throw new Malformed(name + ": " + e.getMessage());
        }
        return of(value, name);
    }

    private static Fields of(Object value, String path) throws Malformed {
        if (!(value instanceof Map)) {
            throw new Malformed(path + " is no object");
        }
        return new Fields((Map<?, ?>) value, path);
    }

    boolean has(String name) {
        return object.get(name) != null;
    }

    String text(String name) throws Malformed {
        return typed(name, String.class, "text");
    }

    String text(String name, String otherwise) throws Malformed {
        return has(name) ? text(name) : otherwise;
    }

    boolean flag(String name) throws Malformed {
        return has(name) && typed(name, Boolean.class, "true or false");
    }

    long number(String name, long min, long max) throws Malformed {
        long value = typed(name, Long.class, "a whole number");
        if (value < min || value > max) {
            throw new Malformed(path(name) + " is " + value + ", not from " + min + " to " + max);
        }
        return value;
    }

    int integer(String name, int min, int max) throws Malformed {
        return (int) number(name, min, max);
    }

    double fraction(String name) throws Malformed {
        return typed(name, Number.class, "a number").doubleValue();
    }

    Fields object(String name) throws Malformed {
        return of(typed(name, Map.class, "an object"), path(name));
    }

    /** The objects of a list. */
    List<Fields> objects(String name) throws Malformed {
        List<Fields> objects = new ArrayList<>();
        for (Object value : list(name)) {
            objects.add(of(value, path(name) + "[" + objects.size() + "]"));
        }
        return objects;
    }

    /** The texts of a list; none when there is no such field. */
    List<String> texts(String name) throws Malformed {
        List<String> texts = new ArrayList<>();
        if (!has(name)) {
            return texts;
        }
        for (Object value : list(name)) {
            if (!(value instanceof String)) {
                throw new Malformed(path(name) + "[" + texts.size() + "] is no text");
            }
            texts.add((String) value);
        }
        return texts;
    }

    private List<?> list(String name) throws Malformed {
        return typed(name, List.class, "a list");
    }

    private <T> T typed(String name, Class<T> type, String what) throws Malformed {
        Object value = object.get(name);
        if (value == null) {
            throw new Malformed(path(name) + " is missing");
        }
        if (!type.isInstance(value)) {
            throw new Malformed(path(name) + " is not " + what);
        }
        return type.cast(value);
    }

    private String path(String name) {
        return path + "." + name;
    }
}
